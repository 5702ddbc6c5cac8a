"""How far the depth that a light curve shows may be from the label: stellar contamination, light of a neighbour.

Spots that the planet does not cross, or a star in the aperture, change the depth by a factor that no transit model can
tell from the spectrum itself (Rackham et al. 2018, ApJ 853, 122). In most planets there is none, in some it is several
error bars:

    shown depth = label * (1 + B m),      m = 0 with probability 1 - share,  m ~ N(mean, covariance) with probability share

B has a common level, FGS1 apart, and a slope over AIRS-CH0. Both numbers are learned from the train planets, whose
labels are known (`learn_nuisance`); the anchor then carries both possibilities, weighted by what the light curves say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODES = 3
_CLEAN = 0.01                                    # size of m, in units of its width, that counts as none
_DEFAULT_SD = np.array([3e-3, 3e-3, 1e-3])       # relative; WHAT_WINS: foregrounds bias depths by 0.6-0.8 %
_DEFAULT_SHARE = 0.25
_PRIOR_PLANETS = 4.0                             # the defaults count like so many planets


@dataclass(frozen=True)
class LabelMismatch:
    """``mean`` (3,) and ``covariance`` (3, 3) of (level, FGS1, slope), relative to the depth; ``share`` of planets that have any."""

    mean: np.ndarray
    covariance: np.ndarray
    share: float
    learned_from: int = 0

    def components(self) -> tuple[MismatchComponent, ...]:
        """No mismatch, and some."""
        root = np.linalg.cholesky(self.covariance)
        return (MismatchComponent(np.zeros(MODES), _CLEAN, 1.0 - self.share),
                MismatchComponent(np.linalg.solve(root, self.mean), 1.0, self.share))

    def modes(self, wavelength_um: np.ndarray) -> np.ndarray:
        """(W, 3): B times a root of the covariance, so that its coefficients have unit width."""
        return mismatch_basis(wavelength_um) @ np.linalg.cholesky(self.covariance)

    def updated(self, mean: np.ndarray, second_moment: np.ndarray, probability: np.ndarray) -> LabelMismatch:
        """One M step from the planets' posteriors: where there is a mismatch, E[m] (N, 3) and E[m m'] (N, 3, 3); whether (N,)."""
        default, weight = default_mismatch(), float(probability.sum())
        centre = probability @ mean / (weight + _PRIOR_PLANETS)
        moment = np.einsum("n,nij->ij", probability, second_moment) - weight * np.outer(centre, centre)
        share = (weight + _PRIOR_PLANETS * default.share) / (len(probability) + _PRIOR_PLANETS)
        return LabelMismatch(mean=centre, covariance=(moment + _PRIOR_PLANETS * default.covariance) / (weight + _PRIOR_PLANETS),
                             share=float(np.clip(share, 1e-3, 0.999)), learned_from=len(probability))


@dataclass(frozen=True)
class MismatchComponent:
    """One possibility: coefficients of `LabelMismatch.modes` around ``mean`` (3,), of width ``size``; its probability."""

    mean: np.ndarray
    size: float
    share: float


def default_mismatch() -> LabelMismatch:
    """Before any label is seen."""
    return LabelMismatch(mean=np.zeros(MODES), covariance=np.diag(_DEFAULT_SD**2), share=_DEFAULT_SHARE)


def mismatch_basis(wavelength_um: np.ndarray) -> np.ndarray:
    """(W, 3): one for all, FGS1 alone, a slope from -1 to 1 over AIRS-CH0."""
    airs = np.asarray(wavelength_um, dtype=np.float64)[1:]
    basis = np.zeros((len(airs) + 1, MODES))
    basis[:, 0], basis[0, 1] = 1.0, 1.0
    basis[1:, 2] = (2.0 * airs - airs[0] - airs[-1]) / (airs[-1] - airs[0])
    return basis
