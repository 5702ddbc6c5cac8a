from __future__ import annotations

import pytest
import torch

from spectramind_kit.transit.likelihood.planet_batch import choose, join, put, stack_visits, take
from spectramind_kit.transit.likelihood.visit_data import prepare_visit
from spectramind_kit.transit.settings import AnchorSettings
from tests.transit.synthetic import make_light_curve, make_planet


def test_padding_has_no_weight() -> None:
    """Guards against stand-ins of a shorter visit that count as data."""
    planet = make_planet(0)
    visits = [
        prepare_visit(make_light_curve(planet, seed=0, visit=v, n_times=n), settings=AnchorSettings())
        for v, n in ((0, 187), (1, 150))
    ]
    batch = stack_visits([visits])
    assert batch.flux.shape == batch.weight.shape == (1, 2, 283, 187)
    assert float(batch.weight[0, 1, :, 150:].abs().max()) == 0.0 and float(batch.weight[0, 0].min()) > 0.0
    assert torch.isfinite(batch.flux).all() and float(batch.end[0, 1]) == pytest.approx(visits[1].span[1])


def test_records_are_taken_joined_chosen_and_put() -> None:
    """Guards against a tensor of a record that is left behind."""
    planet = make_planet(0)
    visits = [
        [prepare_visit(make_light_curve(planet, seed=s, n_times=40), settings=AnchorSettings())]
        for s in range(3)
    ]
    batch = stack_visits(visits)
    assert torch.equal(join([take(batch, [0]), take(batch, [1, 2])]).flux, batch.flux)
    assert take(batch, 1).flux.shape == (1, 283, 40)
    mixed = choose(torch.tensor([True, False, False]), take(batch, [2, 2, 2]), batch)
    assert torch.equal(mixed.flux[0], batch.flux[2]) and torch.equal(mixed.flux[1:], batch.flux[1:])
    put_back = put(batch, torch.tensor([0]), take(batch, [2]))
    assert torch.equal(put_back.flux, mixed.flux) and torch.equal(put_back.weight, mixed.weight)
