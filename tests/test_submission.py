"""A submission that the host takes, or the reason why it would not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric, SubmissionError, gll_score
from spectramind_kit.submission import (
    build_submission,
    fallback_submission,
    read_submission,
    submission_columns,
    validate_submission,
    write_submission,
)

IDS = [30, 10, 20]


def good():
    rng = np.random.default_rng(0)
    return build_submission(IDS, rng.uniform(0.01, 0.02, (3, 283)), depth_sigma=np.full((3, 283), 1e-4))


def test_columns_are_the_official_ones():
    """Guards against a file that the host cannot read."""
    columns = submission_columns()
    assert (
        len(columns) == 567
        and columns[:2] == ["planet_id", "wl_1"]
        and columns[283:285] == ["wl_283", "sigma_1"]
    )


def test_build_repairs_what_the_host_refuses():
    """Guards against a noisy shallow planet (negative depth) costing the whole submission."""
    frame = build_submission(IDS, np.full((3, 283), -1e-5), depth_sigma=np.zeros((3, 283)))
    assert (frame["wl_1"] == 0).all() and (frame["sigma_283"] > 0).all()
    validate_submission(frame, IDS)


def test_round_trip_and_score(tmp_path):
    """Guards against numbers that the CSV does not keep."""
    path = write_submission(good(), tmp_path / "out" / "submission.csv", planet_ids=IDS)
    frame = validate_submission(read_submission(path), IDS)
    pd.testing.assert_frame_equal(frame, good())
    assert not list(path.parent.glob("*.part*"))
    truth = frame.iloc[:, :284]
    assert gll_score(truth, frame, naive_mean=0.0147, naive_sigma=0.0107) > 0.5


def test_float_planet_ids_are_read_as_integers(tmp_path):
    """Guards against planets that are not found because the host writes 1103775.0."""
    path = tmp_path / "truth.csv"
    good().assign(planet_id=[30.0, 10.0, 20.0]).to_csv(path, index=False)
    assert read_submission(path)["planet_id"].tolist() == IDS


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda f: f.iloc[:, :-1], "columns"),
        (lambda f: f[[*f.columns[:-2], f.columns[-1], f.columns[-2]]], "columns"),
        (lambda f: f.iloc[::-1].reset_index(drop=True), "another order"),
        (lambda f: f.iloc[:2], "missing"),
        (lambda f: f.assign(wl_5=np.nan), "finite.*wl_5"),
        (lambda f: f.assign(wl_5=-1.0), "negative.*wl_5"),
        (lambda f: f.assign(sigma_9=0.0), "zero sigma.*sigma_9"),
        (lambda f: f.assign(sigma_9="x"), "numeric.*sigma_9"),
    ],
)
def test_validation_names_what_is_wrong(change, words, tmp_path):
    """Guards against an upload that fails without a reason."""
    with pytest.raises(SubmissionError, match=words):
        write_submission(change(good()), tmp_path / "submission.csv", planet_ids=IDS)
    assert not (tmp_path / "submission.csv").exists()


def test_fallback_is_valid_for_any_planets():
    """Guards against a fallback that is refused, also for a test folder without planets."""
    validate_submission(fallback_submission([7]), [7])
    assert fallback_submission([], metric=Metric(0.02)).empty


def test_a_full_disk_keeps_the_submission_that_was_there(tmp_path, monkeypatch):
    """Guards against half a CSV, which Kaggle would take for a submission, and against losing the fallback
    that stood there."""
    path = write_submission(good(), tmp_path / "submission.csv", planet_ids=IDS)
    before = path.read_bytes()

    def full(frame, target, **settings):
        target.write_text("planet_id,wl", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        write_submission(good(), path, planet_ids=IDS)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["submission.csv"]


def test_a_planet_twice_is_refused():
    """Guards against two rows of one planet, which the host matches by position."""
    frame = fallback_submission([7, 8, 7])
    with pytest.raises(SubmissionError, match="planet 7"):
        validate_submission(frame, [7, 8, 7])


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "empty"),
        ("wl_1\n1\n", "planet_id"),
        ("planet_id,wl_1\nx,1\n", "whole number"),
        ("planet_id,wl_1\n1.5,1\n", "whole number"),
        ("\0\0", "planet_id"),
    ],
)
def test_a_damaged_file_is_a_data_error(tmp_path, content, words):
    """Guards against pandas' own exceptions, of which there are many."""
    (tmp_path / "s.csv").write_text(content)
    with pytest.raises(DataError, match=words):
        read_submission(tmp_path / "s.csv")


def test_a_text_in_a_column_is_left_for_the_validation(tmp_path):
    """Guards against a reader that raises before the validation can name the column."""
    good().astype(object).assign(wl_3="x").to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(SubmissionError, match="numeric.*wl_3"):
        validate_submission(read_submission(tmp_path / "s.csv"), IDS)
