from __future__ import annotations

import pytest
import torch

from spectramind_kit.transit.fit.correlated_noise import common_noise_factors, common_noise_variance

L, T = 30, 200


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_its_size_is_found_beside_that_of_each_wavelength() -> None:
    """Guards against pointing noise that hides in 282 independent errors, and against some where there is
    none."""
    weight = torch.full((L, T), 1e6, dtype=torch.float64)
    own = 1e-3 * _noise(L, T)
    assert common_noise_variance(weight, own) < 0.15 * 1e-6 / L
    tau = 4e-4
    found = common_noise_variance(weight, own + tau * _noise(T, seed=1))
    assert found**0.5 == pytest.approx(tau, rel=0.3)
    weight[:, 11:] = 0.0
    assert common_noise_variance(weight, own + tau) == 0.0  # too few times to tell


def test_takes_away_what_an_eliminated_offset_takes() -> None:
    """Guards against a sign or a factor in the algebra: the same from dense matrices, each wavelength's level
    eliminated too."""
    wavelengths, tau2 = 5, 1e-4
    weight = 1.0 + _noise(wavelengths, T).abs()
    residual = 0.1 * _noise(wavelengths, T, seed=1)
    residual = residual - (weight * residual).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    slopes = _noise(wavelengths, T, seed=2)  # of a nuisance that all wavelengths have
    slopes = slopes - (weight * slopes).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    depth_columns, nuisance_columns = (weight * slopes).T, (weight * slopes).sum(0)[:, None]
    factor, lost = common_noise_factors(tau2, weight, residual, depth_columns, nuisance_columns)
    levels = weight / weight.sum(1, keepdim=True).sqrt()
    inner = torch.diag(weight.sum(0) + 1.0 / tau2) - levels.T @ levels
    a = torch.cat([depth_columns, nuisance_columns], dim=1)
    solved = torch.linalg.solve(inner, a)
    assert factor.shape[0] == wavelengths + 1 and factor.shape[1] <= 10
    assert torch.allclose(factor @ factor.T, a.T @ solved, rtol=1e-6, atol=1e-9)
    assert torch.allclose(lost, solved.T @ (weight * residual).sum(0))
