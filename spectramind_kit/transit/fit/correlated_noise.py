"""Noise that all AIRS wavelengths have in common at one time (pointing, gain): its size and cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spectramind_kit.transit.fit.normal_equations import visit_places, white_columns
from spectramind_kit.transit.fit.problem import FitProblem, FitResult
from spectramind_kit.transit.likelihood.parameters import AIRS, SHARED
from spectramind_kit.transit.likelihood.planet_batch import take, to_device
from spectramind_kit.transit.likelihood.visit_noise import red_noise_factor

_MODES = 10  # rank kept of the loss of information
_FEWEST_TIMES = 12
_NOTHING = 1e-3  # of the white variance: below it there is none


@dataclass(frozen=True)
class CommonNoise:
    """Of one planet."""

    factor: Tensor  # (W + K, m) the information loses factor @ factor.T
    score_loss: Tensor  # (W + K,)
    rms: list[float]  # of each visit, relative flux per bin


def common_noise(problem: FitProblem, result: FitResult) -> CommonNoise:
    """Of the only planet of ``result``."""
    normal = to_device(take(result.normal, 0), "cpu")
    airs = [(weight[AIRS], residual[AIRS]) for weight, residual in zip(normal.weight, normal.residual)]
    variances = [common_noise_variance(*visit) for visit in airs]
    n_wave, n_nuisances = normal.coupling.shape
    loss = torch.zeros(n_wave + n_nuisances, dtype=torch.float64)
    factors = [loss.new_zeros(len(loss), 0)]
    if any(variances):  # else the model need not be linearised again
        inputs, how = result.planets, dict(settings=problem.settings, robust=result.planets.robust)
        depths, columns = white_columns(result.state, inputs.data, problem.grid, **how)
        airs_places = torch.arange(1, n_wave)
        for v, (tau2, visit) in enumerate(zip(variances, airs)):
            if tau2 > 0.0:
                own = common_noise_factors(tau2, *visit, depths[0, v].cpu(), columns[0, v].cpu())
                where = torch.cat([airs_places, n_wave + visit_places(v, columns.shape[-1] - SHARED)])
                factors.append(loss.new_zeros(len(loss), own[0].shape[1]).index_copy(0, where, own[0]))
                loss[where] += own[1]
    return CommonNoise(torch.cat(factors, dim=1), loss, [math.sqrt(tau2) for tau2 in variances])


def common_noise_variance(weight: Tensor, residual: Tensor) -> float:
    """tau^2 of the noise that wavelengths have in common at one time, from (L, T); 0 for (almost) none.

    The white residual has the variance that independent noise explains plus tau^2 per time; slow noise counts
    as much as it matters for a depth (`red_noise_factor`).
    """
    total = weight.sum(0)
    used = total > 0
    if int(used.sum()) < _FEWEST_TIMES:
        return 0.0
    white = (weight * residual).sum(0) / total.clamp_min(1e-300)
    _, red = red_noise_factor(white[used] - white[used].median(), 1.0 / total[used])
    variance = float((1.0 / total[used]).mean())
    tau2 = max(0.0, red - 1.0) * variance
    return tau2 if tau2 > _NOTHING * variance else 0.0


def common_noise_factors(
    tau2: float, weight: Tensor, residual: Tensor, depth_columns: Tensor, nuisance_columns: Tensor
) -> tuple[Tensor, Tensor]:
    """What one random offset per time, N(0, tau^2), common to all AIRS wavelengths, takes away.

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
