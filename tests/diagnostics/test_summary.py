"""The summary says what the numbers say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.diagnostics.judged import judged_sets
from spectramind_kit.diagnostics.planet_numbers import planet_numbers
from spectramind_kit.diagnostics.summary import summarised
from spectramind_kit.run_folder import open_run

SHARE = {
    "event": "network_share",
    "chosen": "anchor",
    "gain": -0.023,
    "gain_error": 0.009,
    "shares": {"anchor": 0.405, "network": 0.485, "both": -0.375},
}


def of(run):
    return summarised(run, planet_numbers(run))


def logged(run, *events):
    with open(run.root / "metrics.jsonl", "a", encoding="utf-8") as log:
        log.write("\n" + "\n".join(map(json.dumps, events)) + "\n")
    return open_run(run.root, truth=run.root / "truth.csv")


def test_the_answer_is_the_official_score_of_the_test_planets(run):
    """Guards against the train planets' score in its place."""
    test = run.judged["test, against truth"]
    score = run.metric.score(test.depth, test.depth_mean, test.depth_sigma)
    found = of(run)
    assert found.answer.startswith(f"Official score {score:.3f} on 12 test planets, whose true depths")
    submitted = next(rung for rung in found.rungs if rung.stage == "final")
    assert submitted.scores[0] == pytest.approx(score) and found.sets == (
        "12 test planets",
        "60 train planets",
    )


def test_without_a_truth_the_train_planets_answer_and_without_labels_nobody(run, tmp_path):
    """Guards against a real competition run, where nobody knows the depths of the test planets."""
    blind = open_run(run.root)
    assert "60 train planets, each predicted by a fit that had not seen" in of(blind).answer
    nothing = of(replace(blind, oof=None))
    assert "No true depths are known" in nothing.answer and nothing.rungs == () and nothing.scale == ""
    assert "no predictions" in of(open_run(tmp_path)).answer


def test_a_network_that_was_left_out_is_told_with_its_numbers(run):
    """Guards against a stranger who wonders what became of the network."""
    run, source = logged(run, SHARE), np.array(["naive", *["anchor"] * 11])
    told = " ".join(of(replace(run, test=replace(run.test, source=source))).decision)
    assert "1 from a guess" in told and "11 from the physics fit" in told
    assert "Submitted: the physics fit alone." in told and "the network was left out" in told
    assert "adds −0.023 ± 0.009" in told and "60 train planets" in told


def test_the_decision_s_scores_differ_by_the_gain(run):
    """Guards against "0.405 → 0.450, adds −0.000": means with and without a hopeless planet side by side, and
    against a second score of the network alone beside the ladder's."""
    run.oof.anchor_depth[3] += 8e-2
    scores = judged_sets(run)[1].stage_scores
    shares = {"anchor": scores["anchor"].mean(), "network": 0.485, "both": 0.45}
    told = " ".join(of(logged(run, SHARE | {"shares": shares})).decision)
    assert "physics fit scores" not in told, "the log is of other predictions than the folder's"
    run.oof.save(run.root / "predictions/oof.npz")
    run = logged(run, SHARE | {"shares": shares, "gain": -8e-5})
    told = " ".join(of(run).decision)
    before, alone = (np.maximum(scores[name], -1).mean() for name in ("anchor", "network"))
    assert before > shares["anchor"] + 0.01
    assert f"(the physics fit scores {before:.3f}, both together {before - 8e-5:.3f})" in told
    assert "adds +0.000 ±" in told and f"scores {alone:.3f}, counted so" in told and "0.485" not in told


@pytest.mark.parametrize(
    ("chosen", "words"), [("both", "so both are used"), ("network", "was told to submit")]
)
def test_a_network_that_counts_is_told(run, chosen, words):
    """Guards against "left out" for what was submitted."""
    told = " ".join(of(logged(run, SHARE | {"chosen": chosen})).decision)
    assert words in told and "left out" not in told


def test_worst_planets_and_small_error_bars_are_told(run):
    """Guards against a report that looks well where it is not."""
    calm = of(replace(run)).warnings
    assert not any("error bars" in text or "worse than a guess" in text for text in calm)
    run.test.depth_mean[3] += 8e-3
    found = of(run)
    assert found.look_first[0][0] == run.test.planet_id[3] and "score −" in found.look_first[0][1]
    warned = " ".join(found.warnings)
    assert "worse than a guess: 1 of the 12 test planets" in warned


@pytest.mark.parametrize(("times", "words"), [(0.4, "error bars are too small"), (2.5, "larger than needed")])
def test_error_bars_are_judged_by_the_typical_planet(run, times, words):
    """Guards against σ that is widened for all planets because two are far off."""
    run.test.depth_mean[3:5] += 8e-3
    warned = of(run).warnings
    apart = next(text for text in warned if "2 of the 12 test planets off by more than 5 σ" in text)
    assert not any("error bars are" in text for text in warned)
    assert all(str(planet) in apart for planet in run.test.planet_id[3:5])
    run.test.depth_sigma[:] *= times
    warned = of(replace(run)).warnings
    assert any(words in text and "on the test planets" in text for text in warned)


def test_failures_stand_ins_and_stale_results_are_warnings(run):
    """Guards against a planet that was left out without a word on the first screen."""
    source = np.array(["naive", *["network"] * 11])
    warned = of(replace(run, stale=("results do not match",), test=replace(run.test, source=source))).warnings
    assert "results do not match" in warned and any(
        "1 test planet could not be fitted" in text for text in warned
    )
    assert any("left out (visits) in 01_light_curves" in text for text in warned)
