"""Noise that all AIRS wavelengths share at one time (pointing, gain), eliminated from the information on
depths and nuisances."""

from __future__ import annotations

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.visit_data import red_noise_factor

_MODES = 10  # rank kept of the loss of information
_FEWEST_TIMES = 12


def common_noise_variance(weight: Tensor, residual: Tensor) -> float:
    """tau^2 of the noise that all wavelengths of a visit share at one time, (L, T) given; zero where there is
    (almost) none.

    The white residual has the variance that independent noise explains plus tau^2 per time; slow noise counts
    as much as it matters for a depth (`visit_data.red_noise_factor`).
    """
    total = weight.sum(0)
    used = total > 0
    if int(used.sum()) < _FEWEST_TIMES:
        return 0.0
    white = (weight * residual).sum(0) / total.clamp_min(1e-300)
    _, red = red_noise_factor(white[used] - white[used].median(), 1.0 / total[used])
    variance = float((1.0 / total[used]).mean())
    tau2 = max(0.0, red - 1.0) * variance
    return tau2 if tau2 > 1e-3 * variance else 0.0


def common_noise_factors(
    tau2: float, weight: Tensor, residual: Tensor, depth_columns: Tensor, nuisance_columns: Tensor
) -> tuple[Tensor, Tensor]:
    """What one random offset per time, N(0, tau^2), shared by all AIRS wavelengths, takes away.

    With the offset eliminated: M -= A' (N + 1/tau^2)^-1 A, score -= A' (N + 1/tau^2)^-1 y, y_t = sum_w wt e.

    Parameters
    ----------
    weight, residual : (L, T) of one visit
    depth_columns, nuisance_columns : (T, L), (T, K), the two parts of A: see `normal_equations.white_columns`

    Returns
    -------
    L (L + K, m) with M -= L L', and the score's loss (L + K,).
    """
    total, y = weight.sum(0), (weight * residual).sum(0)
    a = torch.cat([depth_columns, nuisance_columns], dim=1)
    norm = weight.sum(1).clamp_min(1e-300)
    gram = torch.diag(total + 1.0 / tau2) - weight.T @ (weight / norm[:, None])
    factor = torch.linalg.cholesky(gram)
    p = torch.linalg.solve_triangular(factor, a, upper=False)  # M -= p' p
    lost = p.T @ torch.linalg.solve_triangular(factor, y[:, None], upper=False)[:, 0]
    scale = p.norm(dim=0).clamp_min(1e-300)
    _, values, vectors = torch.linalg.svd(p / scale, full_matrices=False)
    keep = (values > 1e-4 * values[0]).nonzero()[:_MODES, 0]
    return (vectors[keep] * values[keep, None]).T * scale[:, None], lost
