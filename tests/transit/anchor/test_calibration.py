from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import AnchorCalibration, calibrate, flags, identity_calibration
from spectramind_kit.transit.anchor.calibration import NAMES
from tests.transit.anchor.synthetic_anchors import make_anchors


def _with(**values: float) -> AnchorCalibration:
    """Those values; floor, depth and spread switched off."""
    off = {name: -20.0 for name in NAMES if name.startswith(("floor", "depth", "spread"))}
    own = np.array([{**off, **values}.get(name, 0.0) for name in NAMES])
    return dataclasses.replace(identity_calibration(), values=own, identity=False)


def test_the_identity_changes_nothing() -> None:
    """Guards against an anchor that is touched where the calibration did not help."""
    (anchor,), _ = make_anchors(1)
    assert calibrate(anchor, identity_calibration()) is anchor


def test_values_do_what_their_names_say() -> None:
    """Guards against a value that acts on the other sensor or with another unit or sign."""
    (anchor,), _ = make_anchors(1)
    zero = calibrate(anchor, _with())
    assert np.allclose(zero.depth, anchor.depth, rtol=1e-12)
    assert np.allclose(zero.depth_err, anchor.depth_err, rtol=1e-6)
    gained = calibrate(anchor, _with(gain_airs=1.0))
    assert np.allclose(gained.depth[1:], 1.002 * anchor.depth[1:]) and gained.depth[0] == zero.depth[0]
    scaled = calibrate(anchor, _with(scale_fgs1=np.log(2.0)))
    assert scaled.depth_err[0] == pytest.approx(2.0 * anchor.depth_err[0])
    assert np.allclose(scaled.depth_err[1:], zero.depth_err[1:])
    shifted = calibrate(anchor, _with(shift_airs=-0.5))
    mean_err = np.sqrt(anchor.covariance[1:, 1:].mean())
    assert np.allclose(shifted.depth[1:], anchor.depth[1:] - 0.5 * mean_err)
    tilted = calibrate(anchor, _with(tilt_airs=1.0)).depth / anchor.depth - 1.0
    assert tilted[1] == pytest.approx(-0.002) and tilted[-1] == pytest.approx(0.002)
    floor = calibrate(anchor, _with(floor_fgs1=np.log(25.0)))  # units of 4 ppm
    assert floor.depth_err[0] == pytest.approx(np.hypot(anchor.depth_err[0], 1e-4))


def test_parts_of_the_airs_variance_scale_together() -> None:
    """Guards against mean and varying part that lose what they have in common."""
    (anchor,), _ = make_anchors(1)
    rising = np.linspace(0.0, 5e-5, 283)
    anchor = dataclasses.replace(anchor, covariance=anchor.covariance + np.outer(rising, rising))
    both = calibrate(anchor, _with(scale_airs_mean=np.log(3.0), scale_airs_shape=np.log(3.0)))
    assert np.allclose(both.depth_err[1:], 3.0 * anchor.depth_err[1:])


def test_predictors_move_the_error_and_stars_the_mean() -> None:
    """Guards against a feature that is read from another column."""
    (anchor,), _ = make_anchors(1)
    own = {**anchor.features, "amplitude_surprise": 1.5, "quality_log_flux": -2.0, "u1_fgs1": 0.5}
    anchor = dataclasses.replace(anchor, features=own)
    zero = calibrate(anchor, _with())
    surprised = calibrate(anchor, _with(surprise_airs=0.1))
    assert np.allclose(surprised.depth_err[1:], np.exp(0.15) * zero.depth_err[1:])
    assert surprised.depth_err[0] == zero.depth_err[0]
    assert np.allclose(calibrate(anchor, _with(faint_airs=1.0)).depth[1:], (1.0 - 0.004) * anchor.depth[1:])
    limb = calibrate(anchor, _with(limb_fgs1=1.0)).depth[0] - anchor.depth[0]
    assert limb == pytest.approx(0.5 * anchor.depth_err[0])


def test_correlations_are_kept() -> None:
    """Guards against a covariance whose bins no longer err together after the errors were rescaled."""
    (anchor,), _ = make_anchors(1)
    after = calibrate(anchor, _with(scale_airs_shape=0.4, scale_fgs1=-0.3))
    before, now = (a.covariance / np.outer(a.depth_err, a.depth_err) for a in (anchor, after))
    assert np.allclose(before, now) and not np.allclose(anchor.depth_err, after.depth_err)


def test_without_information_nothing_is_calibrated() -> None:
    """Guards against a prior that is sharpened as if light curves had been seen."""
    (anchor,), _ = make_anchors(1)
    empty = dataclasses.replace(anchor, flags=(flags.NO_INFORMATION,))
    assert calibrate(empty, _with(gain_airs=1.0)) is empty


def test_saves_and_loads(tmp_path) -> None:
    """Guards against a submission calibrated otherwise than training said."""
    calibration = dataclasses.replace(_with(gain_fgs1=0.3), score_before=0.5, n_planets=30, strength=4.0)
    calibration.save(tmp_path / "c.json")
    again = AnchorCalibration.load(tmp_path / "c.json")
    (anchor,), _ = make_anchors(1)
    assert np.array_equal(calibrate(anchor, again).depth, calibrate(anchor, calibration).depth)
    assert (again.score_before, again.n_planets, again.strength) == (0.5, 30, 4.0)
    assert np.isnan(again.score_after)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: {}, "cannot be read"),
        (lambda text: {**text, "names": text["names"][::-1]}, "another version"),
        (lambda text: {name: v for name, v in text.items() if name != "widths"}, "cannot be read"),
    ],
)
def test_something_else_is_refused(tmp_path, change, message: str) -> None:
    """Guards against values that are read into the wrong names, and a bare KeyError."""
    path = tmp_path / "c.json"
    identity_calibration().save(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError, match=message):
        AnchorCalibration.load(path)
