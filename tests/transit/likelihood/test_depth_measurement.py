from __future__ import annotations

import json
import os
from dataclasses import fields, replace

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import DepthMeasurement


def test_save_and_load(measurement: DepthMeasurement, tmp_path) -> None:
    """Guards against a cache that changes a measurement."""
    path = tmp_path / "planet.npz"
    measured = replace(measurement, made_from={"light curves": "abc"})
    measured.save(path)
    again = DepthMeasurement.load(path)
    for field in fields(measured):
        ours, theirs = getattr(measured, field.name), getattr(again, field.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs), field.name
        elif field.name != "visits":
            assert ours == theirs and type(ours) is type(theirs), field.name
    visit, visit_again = measured.visits[0], again.visits[0]
    assert np.array_equal(visit_again.model_flux, visit.model_flux) and visit_again.flags == visit.flags
    assert sorted(os.listdir(tmp_path)) == ["planet.npz"]
    path.write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be read"):
        DepthMeasurement.load(path)


def _changed(path, **text) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["text"] = np.array(json.dumps({**json.loads(str(arrays["text"])), **text}))
    np.savez(path, **arrays)


@pytest.mark.parametrize("change", [dict(format=2), dict(of_a_later_version=1), dict(visits=[{"visit": 0}])])
def test_another_version_is_refused(measurement: DepthMeasurement, tmp_path, change: dict) -> None:
    """Guards against half a measurement, or an error that does not say what to do."""
    path = tmp_path / "planet.npz"
    measurement.save(path)
    _changed(path, **change)
    with pytest.raises(DataError, match="of another version") as caught:
        DepthMeasurement.load(path)
    assert "delete the file" in str(caught.value) and str(path) in str(caught.value)


def test_names_in_the_file_stay(measurement: DepthMeasurement, tmp_path) -> None:
    """Guards against a renamed field that makes every stored measurement worthless."""
    path = tmp_path / "planet.npz"
    measurement.save(path)
    with np.load(path) as archive:
        assert {"m_common", "v0_level", "m_depth_score"} <= set(archive.files)


def test_a_nuisance_is_found_by_its_name(measurement: DepthMeasurement) -> None:
    """Guards against an index into another planet's nuisances."""
    assert measurement.nuisance_names[measurement.index("fgs1_u1")] == "fgs1_u1"
    assert measurement.n_nuisances == len(measurement.nuisance_reference) == measurement.coupling.shape[1]
