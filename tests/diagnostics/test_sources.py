"""Where spectra come from, by the scale that made them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.sources import in_words, is_anchor, network_share, source_of
from spectramind_kit.inference.uncertainty import SensorScale, SigmaScale
from spectramind_kit.run_folder.json_file import write_json


def bundle_of(run, scale: SigmaScale) -> None:
    write_bundle(run, scale.to_dict())


def write_bundle(run, scale: dict) -> None:
    write_json(run.root / "bundle/bundle.json", {"network_scale": scale})


def sources(run, predictions) -> list[str]:
    share = network_share(run, predictions)
    return [source_of(predictions, row, share[row]) for row in range(len(predictions))]


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (SigmaScale(), "anchor"),
        (SigmaScale(SensorScale(trust=1.0), SensorScale(trust=0.5)), "both"),
        (SigmaScale(alone=True), "network"),
    ],
)
def test_train_planets_follow_the_scale(run, scale, expected):
    """Guards against a page that calls the anchor's spectrum the network's."""
    bundle_of(run, scale)
    assert set(sources(run, run.oof)) == {expected}


def test_test_planets_keep_what_the_rerun_told(run):
    """Guards against a stand-in that is told as a fit, and a share of a network that was left out."""
    bundle_of(run, SigmaScale(SensorScale(trust=1.0), SensorScale(trust=1.0)))
    told = np.array(["anchor", "flat depth", "naive", *["both"] * (len(run.test) - 3)])
    predictions = replace(run.test, source=told)
    assert sources(run, predictions)[:4] == ["anchor", "flat depth", "naive", "both"]
    assert network_share(run, predictions)[:3].max() == 0.0 < network_share(run, predictions)[3:].min()


def test_a_run_without_a_bundle_has_the_network_alone(run):
    """Guards against "anchor" for the weights that come with the kit, which predict without one."""
    predictions = replace(
        run.test, source=np.array(["network"] * len(run.test)), anchor_depth=None, anchor_err=None
    )
    assert set(sources(run, predictions)) == {"network"} and (network_share(run, predictions) == 1.0).all()
    bundle_of(run, SigmaScale())
    assert (network_share(run, predictions) == 1.0).all(), "of a bundle that is there, but was not used"


@pytest.mark.parametrize("scale", [{"trust": 0.7, "factor": 1.1}, None, {}])
def test_a_bundle_of_another_format_has_no_share_to_tell(run, scale):
    """Guards against a KeyError in place of the report, and against 0 % for what is not known."""
    write_bundle(run, scale)
    submitted = replace(run.test, source=np.array(["anchor", "network", *["both"] * (len(run.test) - 2)]))
    share = network_share(run, submitted)
    assert (share[0] == 0.0).all() and (share[1] == 1.0).all() and np.isnan(share[2:]).all()
    assert "in what shares is not known" in in_words("both", share[2]) and "%" not in in_words(
        "both", share[2]
    )
    assert set(sources(run, run.oof)) == {"both"} and set(sources(run, run.oof.with_stage("anchor"))) == {
        "anchor"
    }


def test_the_anchor_is_recognised_in_the_prediction(run):
    """Guards against two lines for one spectrum, and one line for two."""
    same = run.oof.with_stage("anchor")
    assert is_anchor(same, 0) and not is_anchor(run.oof, 0)
    assert not is_anchor(replace(same, anchor_depth=None), 0)
    assert not is_anchor(replace(same, anchor_depth=same.anchor_depth * np.nan), 0)


def test_a_mixture_tells_its_shares():
    """Guards against a percentage of the wrong sensor."""
    text = in_words("both", np.r_[0.25, np.full(282, 0.5)])
    assert "25% of the FGS1 depth and 50% of the AIRS-CH0" in text and "physics fit" in in_words(
        "anchor", np.zeros(283)
    )
