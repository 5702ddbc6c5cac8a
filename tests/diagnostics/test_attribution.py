"""Shapley values on networks whose answer is known, and on the real one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectramind_kit.diagnostics.attribution import Attributions, attribute_inputs
from spectramind_kit.diagnostics.input_groups import input_groups
from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import example_batch

pytest.importorskip("shap")


def as_output(batch, delta):
    return SimpleNamespace(
        depth_mean=batch["reference_depth"] + batch["reference_err"] * delta,
        depth_sigma=batch["reference_err"] * torch.exp(0.5 * delta),
    )


def small_batch(rows: int = 6) -> dict:
    batch = example_batch(rows, time_steps=12)
    return batch | {name: batch[name].double() for name in ("reference_depth", "reference_err")}


def linear(batch):
    """δ = 2·mean(fgs1) in FGS1's bin, 3·mean(airs) of each wavelength in its own bin, plus the first star
    feature."""
    delta = (
        torch.cat([2 * batch["fgs1"].mean(1, keepdim=True), 3 * batch["airs"].mean(1)], dim=1)
        + batch["star"][:, :1]
    )
    return as_output(batch, delta.double())


def test_a_linear_network_gets_its_exact_shapley_values():
    """Oracle: for a sum of terms each group's value is its own term minus the background's mean of it."""
    batch, background = small_batch(), small_batch(3) | {}
    torch.manual_seed(1)
    background = {
        n: (p + 0.3 if p.is_floating_point() and n != "wavelength_um" else p) for n, p in background.items()
    }
    found = attribute_inputs(
        linear, batch, background=background, max_planets=2, cpu_budget_s=20, planet_id=np.arange(100, 106)
    )
    assert found.n_background == 3
    row = int(found.planet_id[0]) - 100
    groups, outputs = list(found.group_names), list(found.output_names)
    own, mean = batch["fgs1"][row].mean(), background["fgs1"].mean()
    assert found.value[0, groups.index("FGS1 light curve"), outputs.index("δ FGS1")] == pytest.approx(
        float(2 * (own - mean)), abs=1e-5
    )
    star = found.value[0, groups.index("star and orbit"), : len(outputs) // 2]
    np.testing.assert_allclose(
        star, float(batch["star"][row, 0] - background["star"][:, 0].mean()), atol=1e-5
    )
    band = next(
        g for g in input_groups(batch["wavelength_um"].numpy()) if g.name == "AIRS light curve 2.5–2.8 µm"
    )
    bins = band.parts[0][1]
    expected = 3 * (batch["airs"][row][:, bins].mean() - background["airs"][:, :, bins].mean())
    assert found.value[0, groups.index(band.name), outputs.index("δ 2.5–2.8 µm")] == pytest.approx(
        float(expected), abs=1e-5
    )
    assert np.abs(found.value[0, groups.index("FGS1 light curve"), 1 : len(outputs) // 2]).max() < 1e-5
    log_sigma = found.value[0, :, len(outputs) // 2 :]
    np.testing.assert_allclose(log_sigma, 0.5 * found.value[0, :, : len(outputs) // 2], atol=1e-5)


def test_values_add_up_for_a_network_with_interactions():
    """Guards against a coalition whose groups leak: base + Σ values must be the planet's own output."""
    batch = small_batch()

    def network(some):
        delta = some["fgs1"].mean(1, keepdim=True) * some["airs"].mean((1, 2), keepdim=True)[:, 0] * 50
        return as_output(some, (delta + some["bins"][:, :, 0] ** 2).double().expand(-1, 283))

    found = attribute_inputs(network, batch, max_planets=3, cpu_budget_s=20)
    np.testing.assert_allclose(found.base + found.value.sum(axis=1), found.output, atol=1e-9)


@pytest.mark.slow
def test_the_real_network_within_its_budget(tmp_path):
    """Guards against a contract between network and attributions that has drifted, and against an unbounded
    cost."""
    from spectramind_kit.configs import load_config
    from spectramind_kit.models import build_model

    model = build_model(load_config(profile="smoke").model).eval()
    batch = example_batch(3, time_steps=24)
    found = attribute_inputs(model, batch, max_planets=2, max_background=2, cpu_budget_s=4)
    assert np.isfinite(found.value).all() and found.seconds < 12
    again = Attributions.load(found.save(tmp_path / "a.npz"))
    assert again.group_names == found.group_names and again.n_background == found.n_background
    np.testing.assert_array_equal(again.value, found.value)


def test_what_is_missing_is_named(monkeypatch):
    """Guards against a traceback where shap is absent or there is nothing to compare with."""
    with pytest.raises(DataError, match="another one as background"):
        attribute_inputs(linear, small_batch(1))
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(DataError, match=r"shap package.*pip install shap.*\[diagnostics\]"):
        attribute_inputs(linear, small_batch())
