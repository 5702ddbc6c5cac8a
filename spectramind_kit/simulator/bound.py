"""How well can a spectrum be known? Fisher information of a planet's light curves, as a score.

To the information of each visit (`visit_information`) a spectral prior is added; the mismatch of labels
enters as one more error whose distribution is known and whose value is not. The covariance that remains gives
the best σ, and the best σ gives the expected score.

Within linear-Gaussian inference this is a bound. It is generous where it has to choose: the prior knows the
true amplitude of each planet's features, and the drift's form is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.metric import SIGMA_FLOOR, Metric
from spectramind_kit.simulator.contamination import draw_contamination
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.visit_information import CATALOGUE, Priors, visit_information
from spectramind_kit.simulator.wavelengths import grid_to_bins, grid_wavelengths


@dataclass(frozen=True)
class SpectralKnowledge:
    """What a population of labels teaches."""

    shape_covariance: np.ndarray  # (283, 283) of a spectrum about its AIRS mean, in units of its AIRS spread²
    level_sigma: float  # depth
    mismatch_covariance: np.ndarray  # (283, 283) of relative mismatch
    metric: Metric


def learn_knowledge(
    labels: np.ndarray, *, seed: int, settings: Settings = Settings(), draws: int = 4000
) -> SpectralKnowledge:
    """From labels (N, 283) of many planets, N ≥ 300, and draws of the mismatch."""
    if labels.ndim != 2 or len(labels) < 300:
        raise DataError(
            "a spectral prior needs many labels",
            where="simulator.bound",
            expected="(N ≥ 300, 283)",
            found=str(labels.shape),
        )
    level, spread = labels[:, 1:].mean(1), labels[:, 1:].std(1)
    shape = (labels - level[:, None]) / spread[:, None]
    centred = shape - np.average(shape, axis=0)
    rng, grid = np.random.default_rng([seed, 77]), grid_wavelengths()
    mismatch = [
        draw_contamination(rng, grid, rng.uniform(4600, 6700), settings=settings).factor for _ in range(draws)
    ]
    return SpectralKnowledge(
        shape_covariance=np.cov(centred.T) + 1e-6 * np.eye(labels.shape[1]),
        level_sigma=float(level.std()),
        mismatch_covariance=np.cov(grid_to_bins(np.stack(mismatch)).T),
        metric=Metric.of(labels),
    )


def posterior_covariance(
    visits: Sequence[VisitTruth],
    knowledge: SpectralKnowledge,
    *,
    priors: Priors = CATALOGUE,
    mismatch: bool = True,
    use_prior: bool = True,
) -> np.ndarray:
    """(283, 283) covariance of a planet's depths after all its visits."""
    informations = [visit_information(visit, priors=priors) for visit in visits]
    label = visits[0].label
    return combine_information(informations, label, knowledge, mismatch=mismatch, use_prior=use_prior)


def combine_information(
    informations: Sequence[np.ndarray],
    label: np.ndarray,
    knowledge: SpectralKnowledge,
    *,
    mismatch: bool = True,
    use_prior: bool = True,
) -> np.ndarray:
    """(283, 283) covariance from the information of each visit, the mismatch of labels and the prior.

    Each visit has a mismatch of its own, so it enters before the visits are added up.
    """
    total = np.zeros((len(label), len(label)))
    for information in informations:
        if mismatch:
            relative = np.outer(label, label) * knowledge.mismatch_covariance
            information = np.linalg.inv(np.linalg.inv(information) + relative)
        total += information
    if use_prior:
        level = knowledge.level_sigma**2 * np.ones_like(total)
        total = total + np.linalg.inv(level + label[1:].std() ** 2 * knowledge.shape_covariance)
    return np.linalg.inv(total)


def expected_score(labels: np.ndarray, variances: np.ndarray, *, metric: Metric) -> float:
    """The score that (N, 283) error variances with σ = their root earn on average.

    The score is linear in the squared error, and E[(y − μ)²] = σ²: it is that of predictions one σ off.
    """
    sigma = np.maximum(np.sqrt(variances), SIGMA_FLOOR)
    return metric.score(labels, labels + sigma, sigma)
