"""Train planets with their labels given: what light curves then say of mismatch and nuisances (E step)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.gaussian import Projected
from spectramind_kit.transit.priors.label_mismatch import (
    MODES,
    TERMS,
    LabelMismatch,
    MismatchMoments,
    mismatch_basis,
)
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior, NuisanceTable


@dataclass(frozen=True)
class GivenPosterior:
    """Of N planets under all possibilities: moments of their K nuisances, and of their mismatch."""

    mean: np.ndarray  # (N, K) absolute
    covariance: np.ndarray  # (N, K, K)
    mismatch: MismatchMoments

    @property
    def variance(self) -> np.ndarray:
        """(N, K)."""
        return np.diagonal(self.covariance, axis1=1, axis2=2)


@dataclass(frozen=True)
class GivenLabels:
    """N planets of equal nuisances, whose depths are label * (1 + B m) + B a."""

    table: NuisanceTable
    projected: Projected  # on (m, a), each planet's: information (N, 6 + K, 6 + K), score (N, 6 + K)

    @classmethod
    def of(cls, planets: Sequence[tuple[DepthMeasurement, np.ndarray]]) -> GivenLabels:
        """Measurements of the same nuisances, each with its label (W,)."""
        each = [Projected.of(m, mismatch_basis(m.wavelength_um, label), label) for m, label in planets]
        information, score = (np.array([getattr(p, name) for p in each]) for name in ("information", "score"))
        return cls(NuisanceTable.of([m for m, _ in planets]), Projected(information, score, TERMS))

    def __len__(self) -> int:
        return len(self.table.reference)

    def posterior(self, prior: NuisancePrior, mismatch: LabelMismatch) -> GivenPosterior:
        """A label that fits, one that does not and a fit that went astray, weighted by their evidence."""
        precision, pull = prior.terms(self.table)
        components, n = (*mismatch.components(), mismatch.gross()), len(self)
        found = [
            self.projected.solve(
                np.tile(c.precision, (n, 1, 1)), precision, pull, basis_mean=np.tile(c.mean, (n, 1))
            )
            for c in components
        ]
        log_weight = np.array([f.log_evidence + c.log_density for f, c in zip(found, components)])
        chance = torch.softmax(torch.as_tensor(log_weight), dim=0).numpy()  # (3, N)
        weight = chance[:2] / np.maximum(chance[:2].sum(0), 1e-300)
        step, own = (np.array([getattr(f, name) for f in found[:2]]) for name in ("step", "covariance"))
        mean = (weight[..., None] * step).sum(0)
        gap = step - mean
        spread = gap[..., :, None] * gap[..., None, :]
        covariance = (weight[..., None, None] * (own + spread)).sum(0)
        some, astray = step[1, :, :MODES], found[2]
        return GivenPosterior(
            mean=self.table.reference.numpy() + mean[:, TERMS:],
            covariance=covariance[:, TERMS:, TERMS:],
            mismatch=MismatchMoments(
                probability=chance[1],
                trust=1.0 - chance[2],
                mean=some,
                second_moment=own[1, :, :MODES, :MODES] + some[:, :, None] * some[:, None, :],
                absolute=mean[:, MODES:TERMS],
                absolute_variance=np.diagonal(covariance, axis1=1, axis2=2)[:, MODES:TERMS],
                large_square=astray.step[:, 0] ** 2 + astray.covariance[:, 0, 0],
            ),
        )
