from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.transit import measure_depths, measure_together, raw_spectrum
from spectramind_kit.transit.fit import batch
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from tests.transit.synthetic import make_light_curve, make_planet


def _planets() -> list:
    """Six planets of different shape: one and two visits, other lengths, an outlier run, an incomplete and a
    broken one."""
    made = []
    for seed in range(6):
        planet = make_planet(seed, **({"mid_time": 0.8} if seed == 3 else {}))
        curves = [
            make_light_curve(
                planet, seed=seed, visit=v, planet_id=seed, n_times=150 if (seed, v) == (4, 1) else 187
            )
            for v in range(2 if seed in (1, 4) else 1)
        ]
        made.append((curves, planet.star))
    glitch, broken = made[2][0][0], made[5][0][0]
    flux = glitch.flux.copy()
    flux[20:32] *= 0.99
    made[2] = ([dataclasses.replace(glitch, flux=flux)], made[2][1])
    made[5] = ([dataclasses.replace(broken, flux=np.zeros_like(broken.flux))], made[5][1])
    return made


@pytest.fixture(scope="module")
def planets() -> list:
    return _planets()


@pytest.fixture(scope="module")
def alone(planets) -> list[DepthMeasurement]:
    return [measure_depths(curves, star) for curves, star in planets]


def _same(one: DepthMeasurement, other: DepthMeasurement) -> None:
    assert (
        one.planet_id == other.planet_id
        and one.flags == other.flags
        and one.nuisance_names == other.nuisance_names
    )
    (depth, covariance), (depth2, covariance2) = raw_spectrum(one), raw_spectrum(other)
    error = np.sqrt(np.diagonal(covariance))
    assert np.abs((depth - depth2) / error).max() < 1e-3
    assert np.allclose(np.diagonal(covariance), np.diagonal(covariance2), rtol=1e-3)


@pytest.mark.parametrize("chunk", [1, 4])
def test_together_equals_alone(planets, alone, chunk: int, monkeypatch) -> None:
    """Guards against planets that leak into each other, and against an order that is mixed up when some end
    early."""
    monkeypatch.setitem(batch._TOGETHER, "cpu", chunk)
    for one, other in zip(alone, measure_together(planets)):
        _same(one, other)
    assert "no information" in alone[5].flags and len(alone[4].visits) == 2


def test_a_planet_that_breaks_a_batch_costs_only_itself(planets, alone, monkeypatch) -> None:
    """Guards against an exception in the shared linear algebra that takes the whole batch with it."""
    real = batch.find_starts

    def breaks(bands, orbit, *, settings):
        if len(bands) == 1 and abs(orbit.period_d - planets[0][1]["P"]) < 1e-9:
            raise torch.linalg.LinAlgError("made up")
        return real(bands, orbit, settings=settings)

    monkeypatch.setattr(batch, "find_starts", breaks)
    found = measure_together(planets)
    assert (
        any("fit failed: " in f and "made up" in f for f in found[0].flags)
        and "no information" in found[0].flags
    )
    for one, other in zip(alone[1:], found[1:]):
        _same(one, other)


def test_a_device_that_fails_is_left(planets, alone) -> None:
    """Guards against a GPU out of memory that turns every planet into one without information ('meta' cannot
    compute at all)."""
    for one, other in zip(alone[:2], measure_together(planets[:2], device="meta")):
        _same(one, other)


def test_everything_is_made_where_the_data_are(planets, alone, monkeypatch) -> None:
    """Guards against a tensor that a GPU would miss: what the fit makes without naming a device lands on
    'meta', and mixing raises."""
    real = batch.run_fit

    def elsewhere(problem, state, alpha, **how):
        with torch.device("meta"):
            return real(problem, state, alpha, **how)

    monkeypatch.setattr(batch, "run_fit", elsewhere)
    _same(alone[0], measure_depths(*planets[0]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_a_gpu(planets, alone) -> None:
    """Guards against a GPU path of another result."""
    for one, other in zip(alone, measure_together(planets, device="cuda")):
        _same(one, other)
