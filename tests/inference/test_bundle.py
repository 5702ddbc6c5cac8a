"""The bundle is read as it was written, and not at all where it does not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectramind_kit.detector.layout import AdcInfo
from spectramind_kit.errors import DataError
from spectramind_kit.inference.bundle import Learned, load_bundle, save_bundle
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.training.folds import Network
from spectramind_kit.training.loop import FoldResult
from spectramind_kit.training.normaliser import Normaliser


@pytest.fixture
def learned(finished_run):
    bundle = load_bundle(finished_run.root / "bundle")
    own = {f.name: getattr(bundle, f.name) for f in dataclasses.fields(Learned)}
    return Learned(**own | {"adc": AdcInfo(-1000.0, 0.4369, -1000.0, 0.4369)})


@pytest.fixture
def network():
    numbers = np.arange(2.0)
    results = tuple(FoldResult(k, {"weight": torch.ones(2) * k}, 0.5, 0.4, 1, 1) for k in range(2))
    return Network(
        results, Normaliser(numbers, numbers, numbers, numbers, ("Ts", "P")), numbers, {}, "digest"
    )


def test_it_is_read_as_it_was_written(learned, network, tmp_path):
    """Guards against inference with other numbers than the training found."""
    fingerprint = save_bundle(tmp_path / "bundle", learned, network=network)
    bundle = load_bundle(tmp_path / "bundle")
    for name in ("config", "metric", "anchor_scale", "network_scale", "flat", "time_flip", "adc", "tables"):
        assert getattr(bundle, name) == getattr(learned, name), name
    assert bundle.fingerprint == fingerprint and bundle.made_from == learned.made_from
    assert [path.name for path in bundle.weights] == ["fold_0.pt", "fold_1.pt"] and bundle.digest == "digest"
    assert bundle.normaliser.star_names == ("Ts", "P")
    np.testing.assert_array_equal(bundle.prior.wavelength_um, learned.prior.wavelength_um)


def test_the_same_content_has_the_same_fingerprint(learned, network, tmp_path):
    """Guards against predictions that count as stale after a training that changed nothing."""
    first, again = (save_bundle(tmp_path / name, learned, network=network) for name in "ab")
    other = dataclasses.replace(learned, time_flip=not learned.time_flip)
    assert first == again != save_bundle(tmp_path / "c", other, network=network)


def test_the_date_is_that_of_the_content(learned, network, tmp_path, monkeypatch):
    """Guards against a bundle that counts as newer, and figures as stale, after a training that changed
    nothing; and against a file's own time, which a Kaggle dataset does not keep."""
    days = iter(["2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00", "2026-11-03T00:00:00+00:00"])
    monkeypatch.setattr("spectramind_kit.inference.bundle.utc_now", lambda: next(days))
    saved = []
    for flip in (learned.time_flip, learned.time_flip, not learned.time_flip):
        now = dataclasses.replace(learned, time_flip=flip)
        save_bundle(tmp_path / "bundle", now, network=network)
        saved.append(read_json(tmp_path / "bundle/bundle.json")["saved"][:10])
    assert saved == ["2026-11-01", "2026-11-01", "2026-11-02"]


def test_a_folder_without_a_bundle_is_no_damaged_one(learned, network, tmp_path):
    """Guards against "copy it again" for a typo, or for the run's folder in place of its bundle."""
    save_bundle(tmp_path / "bundle", learned, network=network)
    for folder, words in ((tmp_path / "bundel", "no such folder"), (tmp_path, f"pass {tmp_path / 'bundle'}")):
        with pytest.raises(DataError, match=f"no bundle here.*{words}"):
            load_bundle(folder)


def test_the_old_bundle_stays_until_the_new_one_is_whole(learned, network, tmp_path, monkeypatch):
    """Guards against a folder with the prior of one training and the weights of another."""
    before = save_bundle(tmp_path / "bundle", learned, network=network)
    monkeypatch.setattr("spectramind_kit.inference.bundle.save_checkpoint", _full_disk)
    with pytest.raises(OSError, match="No space"):
        save_bundle(tmp_path / "bundle", learned, network=network)
    assert load_bundle(tmp_path / "bundle").fingerprint == before


def _full_disk(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_weights_that_are_not_whole_cost_the_network_alone(learned, network, tmp_path, capsys, damage):
    """Guards against folds of two trainings in one average, and against an anchor lost with them."""
    save_bundle(tmp_path / "bundle", learned, network=network)
    path = tmp_path / "bundle/fold_1.pt"
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes() + b" ")
    assert load_bundle(tmp_path / "bundle").weights == ()
    said = capsys.readouterr().out
    assert f"fold_1.pt {damage}" in said and "the anchor stands" in said


def damage(bundle, what):
    content = read_json(bundle / "bundle.json")
    if what == "an earlier version":
        write_json(bundle / "bundle.json", {**content, "format": 1})
    elif what == "another recipe":
        write_json(
            bundle / "bundle.json",
            {**content, "recipes": {**content["recipes"], "measurements": "1"}, "kit": "0.0.9"},
        )
    else:
        (bundle / "calibration.json").write_text((bundle / "calibration.json").read_text() + " ")


@pytest.mark.parametrize(
    "what, said",
    [
        ("an earlier version", "no bundle of this version"),
        ("another file", "of another training"),
        ("another recipe", "was learned from measurements that this kit makes in another way now"),
    ],
)
def test_a_bundle_that_does_not_fit_costs_the_anchor_with_a_word(small_run, monkeypatch, capsys, what, said):
    """Guards against a prior and a calibration that fit other numbers than this kit makes."""
    damage(small_run.root / "bundle", what)
    with pytest.raises(DataError, match=said):
        load_bundle(small_run.root / "bundle")
    prediction = small_run.submit(monkeypatch)
    assert prediction.counts == {"flat depth": 2}
    assert (
        said in capsys.readouterr().out
        and said in read_json(small_run.root / "run.json")["stages"]["submit"]["bundle_failed"]
    )
