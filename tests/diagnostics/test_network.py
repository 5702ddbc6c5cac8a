"""The trained network read back from a run; without one the figures fall back and say so."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from spectramind_kit.diagnostics import open_run
from spectramind_kit.diagnostics.figures.attribution import plot_attributions
from spectramind_kit.diagnostics.figures.embedding import plot_embedding
from spectramind_kit.diagnostics.network import explain_network, load_network, network_embeddings
from spectramind_kit.errors import DataError

ANCHORED = ["model/decoder=anchored", "model/size=small"]


@pytest.fixture(scope="module")
def network_dir(measured_dir, tmp_path_factory):
    """Two measured planets and a bundle of an untrained network, written as training writes it."""
    import pandas as pd

    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import to_plain
    from spectramind_kit.diagnostics.visits import (
        planets_with_light_curves,
        stored_light_curves,
        stored_measurement,
    )
    from spectramind_kit.inference.bundle import Learned, save_bundle
    from spectramind_kit.inference.flat_depth import FlatBaseline
    from spectramind_kit.inference.uncertainty import SigmaScale
    from spectramind_kit.metric import Metric
    from spectramind_kit.models.build import build_model
    from spectramind_kit.training.dataset import planet_rows
    from spectramind_kit.training.folds import Network
    from spectramind_kit.training.loop import FoldResult
    from spectramind_kit.training.normaliser import Normaliser
    from spectramind_kit.transit.anchor.calibration import identity_calibration
    from spectramind_kit.transit.anchor.mixture import apply_prior
    from spectramind_kit.transit.priors.spectral_prior import default_spectral_prior

    folder = tmp_path_factory.mktemp("network") / "run"
    shutil.copytree(measured_dir, folder)
    run = open_run(folder)
    planets = planets_with_light_curves(run)
    measured = {p: stored_measurement(run, p) for p in planets}
    rows = planet_rows(
        {p: stored_light_curves(run, p) for p in planets},
        measurements=measured,
        stars=pd.DataFrame(),
        anchors={p: apply_prior(m) for p, m in measured.items()},
    )
    config = {
        name: to_plain(load_config(profile="smoke", overrides=ANCHORED)[name])
        for name in ("data", "anchor", "model")
    }
    torch.manual_seed(0)
    normaliser = Normaliser.fit(rows)
    model = build_model(
        config["model"], bin_features=rows[0]["bins"].shape[-1], star_features=len(normaliser.star_names)
    )
    for parameter in model.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)  # a fresh head says nothing: give it something to explain
    result = FoldResult(0, model.state_dict(), 0.5, reference_score=0.5, epochs_run=1, chosen_epoch=1)
    network = Network((result,), normaliser, np.array(planets), {}, "digest")
    learned = Learned(
        config=config,
        metric=Metric(),
        prior=default_spectral_prior(rows[0]["wavelength_um"]),
        calibration=identity_calibration(),
        anchor_scale=SigmaScale(),
        network_scale=SigmaScale(),
        flat=FlatBaseline(1.0, 3e-4),
        time_flip=False,
    )
    save_bundle(folder / "bundle", learned, network=network)
    return folder


def test_the_network_is_read_back_and_explained(network_dir):
    """Guards against a contract between training's bundle and diagnostics that has drifted."""
    run = open_run(network_dir)
    network = load_network(run)
    assert len(np.unique(network.planet_id)) == 2 and network.batch["airs"].shape[0] == len(network.planet_id)
    found = explain_network(run, network=network, cpu_budget_s=1)
    np.testing.assert_allclose(found.base + found.value.sum(axis=1), found.output, atol=1e-6)
    assert np.abs(found.value).max() > 1e-4
    few = plot_attributions(run, attributions=found).empty_because
    assert few.startswith("only ") and "\n" not in few


def test_embeddings_are_of_one_network_and_kept(network_dir):
    """Guards against a map of several networks' embeddings, and against reading all planets twice."""
    run = open_run(network_dir)
    found = network_embeddings(run)
    assert set(found) == {"planet_id", "fused", "fgs1", "airs"} and len(found["fused"]) == 2
    (network_dir / "bundle").rename(network_dir / "gone")
    try:
        again = network_embeddings(run)
    finally:
        (network_dir / "gone").rename(network_dir / "bundle")
    np.testing.assert_array_equal(again["fused"], found["fused"])
    assert "at least 3 planets" in plot_embedding(run).empty_because


def test_a_run_without_a_bundle_says_so(run):
    """Guards against a traceback where only the anchor was used."""
    with pytest.raises(DataError, match="no network was trained"):
        load_network(run)
    with pytest.raises(DataError, match="no network was trained"):
        explain_network(run)
