"""Finding visits."""

from __future__ import annotations

import shutil

import pytest

from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.errors import DataError


def test_visits_are_found_by_listing(make_competition):
    """Guards against assuming one visit per planet, or losing a planet that has only one sensor or
    nothing."""
    data = make_competition(fresh=True, planets=(11, 7))
    for path in list((data / "train" / "11").iterdir()):
        target = path.with_name(path.name.replace("_0", "_1"))
        shutil.copytree(path, target) if path.is_dir() else shutil.copy(path, target)
    (data / "train" / "7" / "FGS1_signal_0.parquet").unlink()
    (data / "train" / "5").mkdir()
    (data / "train" / "notes").mkdir()
    visits = find_visits(data, "train")
    assert [(v.planet_id, v.visit) for v in visits] == [(5, 0), (7, 0), (11, 0), (11, 1)]
    visits[2].check()
    for broken in visits[:2]:
        with pytest.raises(DataError, match="missing"):
            broken.check()
    assert visits[3].signal(FGS1).name == "FGS1_signal_1.parquet"
    assert visits[3].calibration(AIRS, "dark").parent.name == "AIRS-CH0_calibration_1"
    with pytest.raises(DataError, match="did you mean 'dark'"):
        visits[3].calibration(AIRS, "drak")


def test_splits_that_are_not_there(make_competition, tmp_path):
    """Guards against an empty list where the folder or its planets are missing."""
    data = make_competition()
    with pytest.raises(DataError, match="did you mean 'train'"):
        find_visits(data, "trian")
    with pytest.raises(DataError, match="no planets"):
        find_visits(data, "test")
    with pytest.raises(DataError, match="not found"):
        find_visits(tmp_path, "train")


def test_only_whole_numbers_are_planets(make_competition):
    """Guards against phantom planets: int(float(name)) takes 1e5, inf raises, 7_1 is 71."""
    data = make_competition(fresh=True, planets=(11, 7))
    root = data / "train"
    for name in ("7_1", "inf", "nan", "1e5", "007", "11.0", "-3", "3.5", "٣", ".git"):
        (root / name).mkdir()
    (root / "999").write_text("a file")
    shutil.move(root / "7", root / "7.0")
    told = []
    assert [(v.planet_id, v.folder.name) for v in find_visits(data, "train", tell=told.append)] == [
        (7, "7.0"),
        (11, "11"),
    ]
    assert (
        len(told) == 1
        and all(name in told[0] for name in ("7_1", "inf", "1e5", "007", "999", "11.0"))
        and ".git" not in told[0]
    )


def test_odd_visit_numbers(make_competition):
    """Guards against `_00`, which is visit 0 by number and no file by name, and against losing a third
    visit."""
    data = make_competition(fresh=True, planets=(11,))
    folder = data / "train" / "11"
    for name in ("FGS1_signal_00.parquet", "FGS1_signal_0 (1).parquet", "AIRS-CH0_signal_2.parquet"):
        shutil.copy(folder / "FGS1_signal_0.parquet", folder / name)
    told = []
    assert [v.visit for v in find_visits(data, "train", tell=told.append)] == [0, 2]
    assert "FGS1_signal_00.parquet" in told[0] and "(1)" in told[0]


def test_a_link_that_leads_nowhere_keeps_its_row(make_competition):
    """Guards against a submission without the planet whose folder has not been mounted."""
    data = make_competition(fresh=True)
    (data / "test" / "4242").symlink_to(data / "gone")
    told = []
    assert 4242 in {visit.planet_id for visit in find_visits(data, "test", tell=told.append)}
    assert "test/4242 cannot be listed" in " ".join(told)


def test_ids_of_nineteen_digits(make_competition):
    """Guards against a planet that is lost for a number that fits the submission's int64."""
    data = make_competition(fresh=True)
    for name in ("9223372036854775807", "9223372036854775808"):
        (data / "test" / name).mkdir()
    told = []
    found = {visit.planet_id for visit in find_visits(data, "test", tell=told.append)}
    assert 2**63 - 1 in found and 2**63 not in found and "9223372036854775808" in " ".join(told)
