"""Posteriors under priors that differ in the amplitude of the spectral modes and in little else.

The modes' prior is isotropic, s² times the identity, so in the eigenvectors of their information every
posterior is diagonal in them. What is left to solve for each point of a grid has the size of the other
coefficients (level, mismatch, nuisances): an order of magnitude less than the whole, and no inverse of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from spectramind_kit.transit.likelihood.gaussian import Projected, positive_inverse


@dataclass(frozen=True)
class GridPosterior:
    """The posterior integrated over the G points of a grid, in the order of the projected coefficients."""

    weight: np.ndarray  # (G,)
    mean: np.ndarray  # (M + K,)
    covariance: np.ndarray  # (M + K, M + K)


@dataclass(frozen=True)
class AmplitudeGrid:
    """A projected measurement turned to the eigenvectors of the information on its J modes; O others."""

    modes: np.ndarray  # (J,) places among the coefficients
    others: np.ndarray  # (O,)
    vectors: np.ndarray  # (J, J)
    information: np.ndarray  # (J,) eigenvalues
    coupling: np.ndarray  # (J, O)
    other_information: np.ndarray  # (O, O)
    score: np.ndarray  # (J,)
    other_score: np.ndarray  # (O,)

    @classmethod
    def of(cls, projected: Projected, modes: slice) -> AmplitudeGrid:
        size = len(projected.score)
        inside = np.arange(size)[modes]
        others = np.setdiff1d(np.arange(size), inside)
        whole = projected.information
        values, vectors = np.linalg.eigh(whole[np.ix_(inside, inside)])
        return cls(
            modes=inside,
            others=others,
            vectors=vectors,
            information=np.maximum(values, 0.0),
            coupling=vectors.T @ whole[np.ix_(inside, others)],
            other_information=whole[np.ix_(others, others)],
            score=vectors.T @ projected.score[inside],
            other_score=projected.score[others],
        )

    def integrated(
        self,
        amplitude: np.ndarray,
        point: np.ndarray,
        precision: np.ndarray,
        pull: np.ndarray,
        log_prior: np.ndarray,
    ) -> GridPosterior:
        """The mixture over G points.

        Parameters
        ----------
        amplitude : (A,) sd of the modes' prior, its mean 0
        point : (G,) which amplitude each point has
        precision, pull : (G, O, O) and (G, O), of the others' prior at the reference
        log_prior : (G,) ln of each point's prior density, the modes' and the others' norm included
        """
        own = self.information + amplitude[:, None] ** -2.0  # (A, J) precision of each mode
        ahead = self.coupling / own[:, :, None]  # (A, J, O): what a step of the others moves the modes by
        reduced = self.other_information - np.swapaxes(ahead, 1, 2) @ self.coupling
        rhs = self.other_score + pull
        inverse, log_det = positive_inverse(torch.as_tensor(reduced[point] + precision))
        inverse, left = inverse.numpy(), rhs - (self.score @ ahead)[point]
        others = np.einsum("gop,gp->go", inverse, left)
        modes = self.score / own[point] - np.einsum("gjo,go->gj", ahead[point], others)
        gain = modes @ self.score + (others * rhs).sum(1)
        log_weight = log_prior + 0.5 * (gain - log_det.numpy() - np.log(own).sum(1)[point])
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        return GridPosterior(weight, *self._mixed(weight, point, modes, others, inverse, own, ahead))

    def _mixed(self, weight, point, modes, others, inverse, own, ahead) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the mixture; arguments as in `integrated`, steps (G, J) and (G, O)."""
        of_amplitude = [np.flatnonzero(point == a) for a in range(len(own))]
        share = np.array([weight[rows].sum() for rows in of_amplitude])
        loose = np.array([np.tensordot(weight[rows], inverse[rows], 1) for rows in of_amplitude])  # (A, O, O)
        moved = ahead @ loose  # (A, J, O)
        j = len(self.modes)
        step = np.concatenate([modes, others], axis=1)
        mean = weight @ step
        gap = step - mean
        covariance = (weight[:, None] * gap).T @ gap
        covariance[:j, :j] += np.diag(share @ (1.0 / own)) + np.tensordot(moved, ahead, ([0, 2], [0, 2]))
        covariance[:j, j:] -= moved.sum(0)
        covariance[j:, :j] = covariance[:j, j:].T
        covariance[j:, j:] += loose.sum(0)
        covariance[:j] = self.vectors @ covariance[:j]
        covariance[:, :j] = covariance[:, :j] @ self.vectors.T
        mean[:j] = self.vectors @ mean[:j]
        back = np.argsort(np.concatenate([self.modes, self.others]))
        return mean[back], covariance[np.ix_(back, back)]
