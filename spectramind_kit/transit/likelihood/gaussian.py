"""Gaussian posteriors of a measurement under priors: linear algebra of the size of basis and nuisances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement


@dataclass(frozen=True)
class Posterior:
    """Of coefficients and nuisances around the measurement's reference, under G priors."""

    step: np.ndarray  # (G, M + K)
    covariance: np.ndarray  # (G, M + K, M + K)
    log_evidence: np.ndarray  # (G,)

    def mixed(self, log_weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights (G,) proportional to exp(log_weight), mean and covariance of the mixture."""
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        mean = weight @ self.step
        gap = self.step - mean
        return weight, mean, np.tensordot(weight, self.covariance, 1) + (weight[:, None] * gap).T @ gap


@dataclass(frozen=True)
class Projected:
    """A measurement's information on the coefficients of one basis, made once, solved under many priors."""

    information: np.ndarray  # (M + K, M + K)
    score: np.ndarray  # (M + K,)
    n_basis: int

    @classmethod
    def of(cls, m: DepthMeasurement, basis: np.ndarray, origin: np.ndarray) -> Projected:
        """depth = origin + basis @ coefficients; ``basis`` (W, M), ``origin`` (W,)."""
        n, k = basis.shape[1], m.n_nuisances
        noise_d, noise_n = m.common_noise[: len(basis)], m.common_noise[len(basis) :]
        cross, lost = basis.T @ m.coupling, np.vstack([basis.T @ noise_d, noise_n])
        information = np.empty((n + k, n + k))
        information[:n, :n] = basis.T @ (m.depth_information[:, None] * basis)
        information[:n, n:], information[n:, :n] = cross, cross.T
        information[n:, n:] = m.nuisance_information
        information -= lost @ lost.T
        gap = origin - m.reference_depth
        score_d = m.depth_score - m.depth_information * gap + noise_d @ (noise_d.T @ gap)
        score_n = m.nuisance_score - m.coupling.T @ gap + noise_n @ (noise_d.T @ gap)
        return cls(information, np.r_[basis.T @ score_d, score_n], n)

    def solve(
        self,
        basis_precision: np.ndarray,
        nuisance_precision: np.ndarray,
        nuisance_pull: np.ndarray,
        *,
        basis_mean: np.ndarray,
    ) -> Posterior:
        """Under priors of the coefficients with precision (G, M, M) and mean (G, M), and of the nuisances
        with precision (G, K, K) and pull (G, K). The evidence lacks the priors' own densities at the
        reference."""
        n = self.n_basis
        own, mean = torch.as_tensor(basis_precision), torch.as_tensor(basis_mean)
        total = torch.as_tensor(self.information).expand(len(own), -1, -1).clone()
        total[:, :n, :n] += own
        total[:, n:, n:] += torch.as_tensor(nuisance_precision)
        rhs = torch.as_tensor(self.score).expand(len(own), -1).clone()
        pull = (own @ mean[..., None])[..., 0]
        rhs[:, :n] += pull
        rhs[:, n:] += torch.as_tensor(nuisance_pull)
        covariance, log_det = positive_inverse(total)
        step = (covariance @ rhs[..., None])[..., 0]
        return Posterior(step.numpy(), covariance.numpy(), (0.5 * ((rhs * step).sum(1) - log_det)).numpy())


def positive_inverse(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Inverses and log determinants of positive matrices (G, n, n), with the least ridge that they need.

    They are scaled to a unit diagonal first: levels, slopes and depths differ by ten orders of magnitude.
    """
    matrices = 0.5 * (matrices + matrices.mT)
    scale = matrices.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    unit = matrices * scale[:, :, None] * scale[:, None, :]
    eye = torch.eye(unit.shape[-1], dtype=unit.dtype)
    for ridge in (0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4):
        factor, info = torch.linalg.cholesky_ex(unit + ridge * eye)
        if not bool(info.any()):
            break
    else:
        raise np.linalg.LinAlgError("the information matrix is not positive")
    log_det = 2.0 * (factor.diagonal(dim1=-2, dim2=-1).log() - scale.log()).sum(1)
    return torch.cholesky_inverse(factor) * scale[:, :, None] * scale[:, None, :], log_det


def cut_below(
    mean: np.ndarray, covariance: np.ndarray, index: int, lower: float
) -> tuple[np.ndarray, np.ndarray]:
    """Moments of a Gaussian cut at ``lower`` in one coordinate: a linear fit would go on below b^2 = 0."""
    variance = covariance[index, index]
    sd = math.sqrt(max(variance, 1e-300))
    alpha = (lower - mean[index]) / sd
    if alpha < -4.0:
        return mean, covariance
    alpha = min(alpha, 6.0)
    tail = 0.5 * math.erfc(alpha / math.sqrt(2.0))
    ratio = math.exp(-0.5 * alpha**2) / math.sqrt(2.0 * math.pi) / max(tail, 1e-300)
    new_mean = max(lower, mean[index]) if alpha >= 6.0 else mean[index] + sd * ratio
    shrink = min(max(1.0 - ratio * (ratio - alpha), 0.02), 1.0)
    column = covariance[:, index] / variance
    lost = np.outer(column, column) * variance * (1.0 - shrink)
    return mean + column * (new_mean - mean[index]), covariance - lost
