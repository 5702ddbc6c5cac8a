"""AIRS' encoder: who sees whom, the graph's memory, and what a broken planet leaves."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.models import AirsGnn
from spectramind_kit.models.airs_gnn import encode_wavelength

WAVELENGTH = torch.linspace(1.95, 3.9, 5)


def encoded(encoder, flux, shape, time, mask, wavelength=WAVELENGTH):
    bins = torch.zeros(len(flux), flux.shape[-1], 3)
    return encoder(flux, time=time, mask=mask, shape=shape, bins=bins, wavelength_um=wavelength)


@pytest.mark.parametrize("steps, valid", ((1, True), (30, False)))
@pytest.mark.parametrize("temporal", ("cnn", "moments"))
def test_a_visit_of_one_step_and_an_empty_visit(series, temporal, steps, valid):
    """Guards against a crash or NaN on what a broken planet leaves."""
    flux, shape, time, mask = series(steps=steps)
    encoder = AirsGnn(width=16, bin_features=3, temporal=temporal)
    assert encoded(encoder, flux, shape, time, mask & valid).isfinite().all()


@pytest.mark.parametrize("depth, alone", ((0, True), (2, False)))
def test_only_the_graph_joins_wavelengths(series, depth, alone):
    """Guards against `model/airs_encoder=cnn` in which bins still tell each other something."""
    torch.manual_seed(0)
    encoder = AirsGnn(width=16, bin_features=3, graph_depth=depth).eval()
    flux, *given = series()
    changed = flux.clone()
    changed[..., 2] += 1.0
    moved = (encoded(encoder, flux, *given) - encoded(encoder, changed, *given)).abs().amax((0, 2)) > 1e-6
    assert moved[2] and (moved.sum() == 1) == torch.tensor(alone)


def test_the_graph_follows_the_wavelengths(series):
    """Guards against a graph that is kept for other wavelengths, or built anew for every batch."""
    encoder = AirsGnn(width=16, bin_features=3, spectral=2, molecular=0, detector=1)
    graph = encoder.graph(WAVELENGTH)
    assert graph.source.shape == (5, 3) and encoder.graph(WAVELENGTH.clone()) is graph
    assert not torch.equal(encoder.graph(WAVELENGTH.flip(0)).features, graph.features)


def test_wavelengths_are_told_apart():
    """Guards against an encoding that repeats inside the range, and against one that runs away beyond it."""
    wavelength = torch.linspace(1.95, 3.895, 282)
    apart = torch.cdist(encode_wavelength(wavelength), encode_wavelength(wavelength)) + torch.eye(282)
    assert apart.min() > 0.05
    assert encode_wavelength(torch.tensor([0.1, 60.0])).isfinite().all()


@pytest.mark.parametrize("setting, nearest", (({"temporal": "cn"}, "cnn"), ({"graph_layer": "gatt"}, "gat")))
def test_unknown_settings_name_the_nearest(setting, nearest):
    """Guards against a misspelling that trains something else."""
    with pytest.raises(ConfigError, match=nearest):
        AirsGnn(width=16, bin_features=3, **setting)
