from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.calibration_maps import calibration_products, draw_maps, maps_of_visit
from spectramind_kit.simulator.constants import SENSORS
from spectramind_kit.simulator.settings import Effects


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_linearity_and_its_inverse(sensor):
    """Guards against an inverse polynomial that is not one: true → measured → true within 0.1 e⁻ up to 70 k
    e⁻."""
    maps = draw_maps(1, "train", 0, sensor)
    good = ~maps.dead_mask
    for true in (0.0, 50.0, 3_000.0, 25_000.0, 70_000.0):
        measured = 75_000.0 * sum(c * (true / 75_000.0) ** k for k, c in enumerate(maps.delinearity))
        back = sum(c * measured**k for k, c in enumerate(maps.linearity))
        assert np.abs(back - true)[good].max() < 0.1
    measured = sum(c * 60_000.0**k for k, c in enumerate(maps.linearity))[good]
    assert 300 < np.median(measured) - 60_000.0 < 3_000  # the upturn of a few per cent at 60 k e⁻


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_test_maps_are_worse_than_those_of_train(sensor):
    """Guards against hidden planets that are as clean as the visible ones."""
    train, test = (
        np.array(
            [
                [m.dead_mask.mean(), (m.dark_file > 0.02).mean(), m.flat_file[~m.dead_mask].min()]
                for m in (draw_maps(1, split, k, sensor) for k in range(n))
            ]
        ).mean(0)
        for split, n in (("train", 2), ("test", 8))
    )
    assert test[0] > train[0] and test[1] > train[1] and test[2] < train[2]
    assert test[0] < 0.015 and test[1] < 0.02


def test_same_arguments_same_maps():
    """Guards against maps that change between processes: a resumed run would mix detectors."""
    first, again = (draw_maps(4, "test", 3, SENSORS[1]) for _ in range(2))
    assert np.array_equal(first.flat_file, again.flat_file) and not np.array_equal(
        first.flat_file, draw_maps(4, "test", 4, SENSORS[1]).flat_file
    )


@pytest.mark.parametrize("sensor", SENSORS, ids=lambda s: s.name)
def test_statistics_are_those_of_the_real_set(sensor, reference_data):
    """Guards against maps that the calibration would treat unlike real ones."""
    import pyarrow.parquet as pq

    def real(product):
        table = pq.read_table(reference_data / "calibration" / sensor.name / f"{product}.parquet")
        return np.stack([column.to_numpy() for column in table.columns], axis=1)

    maps = draw_maps(1, "train", 0, sensor)
    for product, ours in (("dark", maps.dark_file), ("flat", maps.flat_file), ("read", maps.read_file)):
        theirs = real(product)
        assert theirs.shape == ours.shape
        for q in (5, 50, 95):
            tolerance = 0.02 if product == "flat" else 0.25
            assert np.percentile(ours, q) == pytest.approx(np.percentile(theirs, q), rel=tolerance), (
                product,
                q,
            )
    theirs = real("linear_corr").reshape(6, sensor.rows, sensor.columns)
    for k in range(1, 6):
        low, high = np.percentile(theirs[k], [5, 95])
        assert np.percentile(maps.linearity[k], 95) - np.percentile(maps.linearity[k], 5) == pytest.approx(
            high - low, rel=0.35
        ), k
        assert np.median(maps.linearity[k]) == pytest.approx(np.median(theirs[k]), abs=0.25 * (high - low)), k
    assert real("dead").dtype == maps.dead_mask.dtype


def test_products_of_an_effect_that_is_off_correct_nothing(maps):
    """Guards against a calibration file that undoes what the detector never did."""
    off = Effects().without("nonlinearity", "dark", "flat_field", "dead_pixels")
    products = calibration_products(maps[0], off)
    linearity = products["linear_corr"].reshape(6, *SENSORS[0].shape)
    assert (linearity[1] == 1.0).all() and not np.delete(linearity, 1, axis=0).any()
    assert not products["dark"].any() and (products["flat"] == 1.0).all() and not products["dead"].any()


def test_train_visits_share_two_sets():
    """Guards against a detector for every visit, which no calibration could learn from."""
    drawn = [maps_of_visit(4, "train", index, 0) for index in range(12)]
    assert len({id(sensors) for sensors in drawn}) == 2
