"""The official score, against its definition and the host's own results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spectramind_kit import metric
from spectramind_kit.metric import Metric, SubmissionError, gll_score

METRIC = Metric(0.0147, 0.0107)
NAIVE = METRIC.to_dict()


def frames(y, mu, sigma):
    ids = np.arange(len(y))
    solution = pd.DataFrame(y, columns=[f"wl_{k + 1}" for k in range(y.shape[1])])
    given = pd.DataFrame(np.concatenate([mu, sigma], axis=1))
    solution.insert(0, "planet_id", ids)
    given.insert(0, "planet_id", ids)
    return solution, given


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return rng.uniform(0.004, 0.05, (5, 1)) + rng.normal(0, 5e-5, (5, 283))


def reference_folder() -> Path:
    folder = os.environ.get("ARIEL_REFERENCE_DATA")
    if not folder:
        pytest.skip("ARIEL_REFERENCE_DATA is not set: the competition's real files are not at hand")
    return Path(folder)


def test_official_cases_to_1e_9():
    """Guards the score itself: thirteen inputs with the host's own results."""
    folder = reference_folder()
    cases = json.loads((folder / "metric_cases.json").read_text())
    arrays = np.load(folder / "metric_cases.npz")
    assert len(cases["expected_score"]) >= 13
    for name, expected in cases["expected_score"].items():
        solution, given = frames(arrays[f"{name}__y"], arrays[f"{name}__mu"], arrays[f"{name}__sigma"])
        score = gll_score(solution, given, naive_mean=cases["naive_mean"], naive_sigma=cases["naive_sigma"])
        assert score == pytest.approx(expected, abs=1e-9), name


def test_score_against_scipy_free_formula(truth):
    """Guards weights and normalisation against a loop written straight from the definition."""
    rng = np.random.default_rng(1)
    mu, sigma = truth + rng.normal(0, 1e-4, truth.shape), np.full_like(truth, 2e-4)
    total = weight_sum = 0.0
    for p in range(truth.shape[0]):
        for k in range(283):

            def log_n(x, m, s):
                return -((x - m) ** 2) / (2 * s * s) - np.log(s * np.sqrt(2 * np.pi))

            ideal = log_n(truth[p, k], truth[p, k], 1e-6 if k == 0 else 1e-5)
            naive = log_n(truth[p, k], 0.0147, 0.0107)
            w = 57.846 if k == 0 else 1.0
            total += w * (log_n(truth[p, k], mu[p, k], sigma[p, k]) - naive) / (ideal - naive)
            weight_sum += w
    assert METRIC.score(truth, mu, sigma) == pytest.approx(total / weight_sum, abs=1e-12)


def test_perfect_and_naive_are_one_and_zero(truth):
    """Guards against a score whose ends are somewhere else."""
    perfect = METRIC.score(truth, truth, np.broadcast_to(metric.ideal_sigma(), truth.shape))
    assert perfect == pytest.approx(1.0)
    assert METRIC.score(truth, np.full_like(truth, 0.0147), np.full_like(truth, 0.0107)) == 0.0


def test_host_errors(truth):
    """Guards against passing locally what the host refuses."""
    solution, good = frames(truth, truth, np.full_like(truth, 1e-4))
    for change, words in (
        (lambda f: f.drop(columns=[5]), "columns"),
        (lambda f: f.assign(text="a"), "numeric"),
        (lambda f: f.iloc[:-1], "rows"),
    ):
        with pytest.raises(SubmissionError, match=words):
            gll_score(solution, change(good.copy()), **NAIVE)
    negative = good.copy()
    negative.iloc[1, 300] = -1e-9
    with pytest.raises(SubmissionError, match="negative"):
        gll_score(solution, negative, **NAIVE)


def test_planets_are_matched_by_id_where_that_is_asked_for(truth):
    """Guards against a score of 0 for rows in another order, and against a default that is not the host's."""
    solution, given = frames(truth, truth + 1e-4, np.full_like(truth, 1e-4))
    right = gll_score(solution, given, **NAIVE)
    turned = given.iloc[::-1]
    assert gll_score(solution, turned, **NAIVE) < right
    assert gll_score(solution, turned, **NAIVE, check_ids=True) == right
    by_index = solution.set_index("planet_id")
    assert gll_score(by_index, turned.set_index("planet_id"), **NAIVE, check_ids=True) == right


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda f: f.iloc[:-1], "not in the submission.*found: 4"),
        (lambda f: f.assign(planet_id=[0, 1, 2, 3, 77]), "not in the submission.*found: 4"),
        (
            lambda f: pd.concat([f, f.assign(planet_id=f["planet_id"] + 5)]),
            "not in the solution.*5, 6, 7, 8, 9",
        ),
        (lambda f: f.assign(planet_id=[0, 1, 2, 3, 3]), "submission more than once.*found: 3"),
        (lambda f: f.drop(columns="planet_id"), "no planet_id"),
    ],
    ids=["missing", "another planet", "too many", "twice", "no ids"],
)
def test_planets_that_do_not_match_are_named(truth, change, words):
    """Guards against planets that are dropped or scored against another's truth without a word."""
    solution, given = frames(truth, truth, np.full_like(truth, 1e-4))
    with pytest.raises(SubmissionError, match=words):
        gll_score(solution, change(given), **NAIVE, check_ids=True)


def test_nan_gives_nan_and_inputs_stay_as_they_are(truth):
    """Guards against a score that hides a planet, or that changes the caller's frame."""
    solution, given = frames(truth, truth, np.full_like(truth, 1e-4))
    before = given.copy()
    gll_score(solution, given, **NAIVE)
    pd.testing.assert_frame_equal(before, given)
    given.iloc[0, 7] = np.nan
    assert np.isnan(gll_score(solution, given, **NAIVE))


def test_one_overconfident_planet_sinks_everything(truth):
    """Guards against a local score that forgives what the host does not."""
    sigma = np.full_like(truth, 1e-4)
    fine = METRIC.score(truth, truth + 1e-4, sigma)
    sigma[0] = 1e-9
    assert fine > 0.3 and METRIC.score(truth, truth + 1e-4, sigma) == 0.0
