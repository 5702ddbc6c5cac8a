"""Anchors and network of new planets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.inference.bundle import load_bundle
from spectramind_kit.inference.in_memory import network_inputs, predict
from spectramind_kit.inference.predictors import predict_anchors, predict_network, predict_untrained
from spectramind_kit.inference.rerun_inputs import in_order
from spectramind_kit.runtime import Device
from spectramind_kit.training.checkpoint import save_checkpoint
from spectramind_kit.training.pretrained import load_pretrained
from tests.stale_run import SMALL, TEST, make_small_run


@pytest.fixture(scope="module", params=["both", "anchored"])
def trained(request, tmp_path_factory):
    """A small run with a network, its bundle, and the test planets' measurements and anchors."""
    run = make_small_run(tmp_path_factory.mktemp("network"))
    form = f"model/decoder={request.param}"
    run.overrides = [*SMALL, "model/size=small", form, "train.epochs=1", "train.warm_start_epochs=0"]
    run.train()
    bundle = load_bundle(run.root / "bundle")
    measurements = run.measure(run.open("submit"), "test")
    return run, bundle, measurements, predict_anchors(bundle, measurements)[0]


def test_a_measurement_that_breaks_costs_its_planet(trained):
    """Guards against one odd planet that leaves all without an anchor."""
    _, bundle, measurements, _ = trained
    anchors, failed = predict_anchors(bundle, {**measurements, 7: None})
    assert sorted(anchors) == sorted(TEST) and list(failed) == [7] and "Error" in failed[7]


def test_the_folds_are_averaged(trained):
    """Guards against the last fold taken for all, and against sigmas that are averaged without logarithm."""
    run, bundle, measurements, anchors = trained
    given = {"measurements": measurements, "anchors": anchors, "stars": pd.DataFrame()}
    curves, device = run.light_curves["test"], Device("cpu", "cpu", "float32", "CPU")
    whole = predict_network(bundle, curves, **given, device=device)
    assert sorted(whole["planet_id"]) == sorted(TEST) and len(bundle.weights) == 2
    alone = []
    for weights in bundle.weights:
        one = type(bundle)(**{**vars(bundle), "weights": (weights,)})
        alone.append(predict_network(one, curves, **given, device=device))
    np.testing.assert_allclose(
        whole["depth_mean"], np.mean([a["depth_mean"] for a in alone], axis=0), rtol=1e-12
    )
    logs = [np.log(a["depth_sigma"]) for a in alone]
    np.testing.assert_allclose(whole["depth_sigma"], np.exp(np.mean(logs, axis=0)), rtol=1e-12)


def test_weights_of_another_training_are_refused(trained, tmp_path):
    """Guards against a fold that was copied from another bundle."""
    path = save_checkpoint(tmp_path / "fold_0.pt", {"model": {"w": torch.ones(1)}}, digest="other")
    with pytest.raises(DataError, match="another configuration"):
        replace(trained[1], weights=(path,)).network(0)


def test_attention_and_embeddings_can_be_read(trained):
    """Guards against a bundle whose network nobody outside a run can build: how many features it reads is in
    the bundle, and what it reads comes from light curves and stars."""
    run, bundle, _, _ = trained
    inputs = network_inputs(bundle, run.light_curves["test"], stars=run.stars["test"])
    with torch.no_grad():
        output = bundle.network(1)(inputs.batch(range(len(inputs))), attention=True)
    assert sorted(inputs.planet_id) == sorted(TEST) and output.depth_mean.shape == (2, 283)
    assert output.attention.shape[0] == 2 and output.attention.isfinite().all()
    for embedding in (output.fgs1_embedding, output.airs_embedding):
        assert embedding.shape == (2, output.fused.shape[-1]) and float(embedding.std()) > 0
    assert len(list(bundle.networks())) == 2 and not bundle.network(0).training
    with pytest.raises(DataError, match="no network of this fold.*0 … 1.*fold 2"):
        bundle.network(2)


def test_in_memory_it_is_what_03_submit_gives(trained, monkeypatch):
    """Guards against a second way to a spectrum, which would drift from the one that is submitted."""
    run, bundle, *_ = trained
    wanted = run.submit(monkeypatch)
    found = predict(bundle, run.light_curves["test"], stars=run.stars["test"], device="cpu")
    assert found.planet_id.tolist() == wanted.planet_id.tolist()
    assert found.source.tolist() == wanted.source.tolist()
    for name in ("depth_mean", "depth_sigma", "anchor_depth", "network_depth_mean", "fused"):
        np.testing.assert_array_equal(getattr(found.stages, name), getattr(wanted, name), err_msg=name)


def test_the_shipped_network_predicts_without_any_training(trained):
    """Guards against a kit that says nothing before it has seen a label, and against bins that are read as
    others."""
    curves, given = trained[0].light_curves["test"], {"device": Device("cpu", "cpu", "float32", "CPU")}
    given["stars"] = pd.DataFrame()
    start = load_pretrained()
    assert not predict_untrained(start, curves, **given), "of other wavelengths than it was trained on"
    own = next(iter(curves.values()))[0].wavelength_um
    found = predict_untrained(replace(start, card={**start.card, "wavelength_um": own}), curves, **given)
    assert sorted(found["planet_id"]) == sorted(TEST)
    assert np.isfinite(found["depth_mean"]).all() and (found["depth_sigma"] > 0).all()
    turned = {planet: [in_order(curve, own[::-1]) for curve in visits] for planet, visits in curves.items()}
    other = predict_untrained(replace(start, card={**start.card, "wavelength_um": own}), turned, **given)
    np.testing.assert_array_equal(other["depth_mean"][:, ::-1], found["depth_mean"])
