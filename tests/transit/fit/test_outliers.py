from __future__ import annotations

import pytest
import torch

from spectramind_kit.transit.fit.outliers import outlier_factor, robust_weights


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_wild_point_loses_weight_and_no_other() -> None:
    """Guards against a cosmic ray that counts in full, or that takes its neighbours with it."""
    z = _noise(200, 100).clamp(-3.0, 3.0)
    z[4, 50] = 12.0
    weights = robust_weights(z, threshold=4.0)
    assert float(weights[4, 50]) == pytest.approx((4.0 / 12.0) ** 2, rel=0.35)
    weights[4, 50] = 1.0
    assert float(weights.min()) == 1.0


def test_a_time_at_which_all_are_off_a_little_is_one() -> None:
    """Guards against a pointing jump of one sigma in 200 wavelengths that no single point shows."""
    z = _noise(200, 100).clamp(-3.0, 3.0)
    z[:, 30] += 1.5
    weights = robust_weights(z, threshold=4.0)
    assert float(weights[:, 30].median()) < 0.2 < float(weights[:, 31].min())


def test_a_poor_fit_is_no_outlier() -> None:
    """Guards against a transit that is rejected because the model is not there yet."""
    assert float(robust_weights(8.0 * _noise(1, 200).clamp(-2.5, 2.5), threshold=4.0).min()) == 1.0


def test_a_time_that_airs_rejects_is_lost_to_fgs1() -> None:
    """Guards against a glitch of the telescope that stays in FGS1, where one column cannot tell it."""
    residual, weight = 1e-3 * _noise(1, 1, 31, 100).clamp(-3.0, 3.0), torch.full((1, 1, 31, 100), 1e6)
    residual[0, 0, 1:, 40] += 8e-3
    residual[0, 0, 0, 70] = 2e-2
    factor = outlier_factor(residual, weight.double(), 4.0)[0, 0]
    assert float(factor[0, 40]) < 0.3 and float(factor[0, 70]) < 0.3
    assert float(factor[1:, 70].min()) == 1.0 and float(factor[0, 41]) == 1.0
