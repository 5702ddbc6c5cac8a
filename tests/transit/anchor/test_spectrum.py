from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectramind_kit.errors import DataError
from spectramind_kit.transit import Anchor, SpectralPrior, apply_prior, calibrate, cross_fit
from tests.transit.anchor.synthetic_anchors import make_anchors
from tests.transit.train_planets import train


def test_errors_are_the_root_of_the_diagonal_and_never_nan() -> None:
    """Guards against a variance that rounding made negative and that turns a whole score into NaN."""
    (anchor,), _ = make_anchors(1)
    covariance = anchor.covariance.copy()
    covariance[0, 0], covariance[1, 1] = -1e-20, 4e-10
    err = dataclasses.replace(anchor, covariance=covariance).depth_err
    assert err[0] == 0.0 and err[1] == 2e-5 and np.isfinite(err).all()


def test_a_file_gives_the_anchor_back(tmp_path) -> None:
    """Guards against an anchor that can only be kept by pickling it, and a file of something else."""
    measurements, _ = train()
    anchor = dataclasses.replace(apply_prior(measurements[0]), flags=("grazing", "poor fit"))
    anchor.save(tmp_path / "anchors" / "1.npz")
    again = Anchor.load(tmp_path / "anchors" / "1.npz")
    for name in ("wavelength_um", "depth", "covariance", "raw_depth", "raw_err"):
        np.testing.assert_array_equal(getattr(again, name), getattr(anchor, name))
    for name in ("planet_id", "features", "nuisance", "flags"):
        assert getattr(again, name) == getattr(anchor, name), name
    assert [path.name for path in (tmp_path / "anchors").iterdir()] == ["1.npz"]
    with pytest.raises(DataError, match="a spectral prior"):
        SpectralPrior.load(tmp_path / "anchors" / "1.npz")
    with pytest.raises(DataError, match="an anchor cannot be read"):
        Anchor.load(tmp_path / "none.npz")


def test_the_covariance_has_a_cholesky_factor() -> None:
    """Guards against a matrix without an inverse: the prior's smooth shapes leave directions without any
    variance."""
    measurements, depths = train()
    fitted = cross_fit(measurements, depths, folds=4)
    other = calibrate(apply_prior(measurements[1]), fitted.calibration)
    for anchor in (*fitted.anchors, *fitted.uncalibrated, other):
        factor = np.linalg.cholesky(anchor.covariance)
        np.testing.assert_allclose(factor @ factor.T, anchor.covariance, rtol=0, atol=1e-18)
