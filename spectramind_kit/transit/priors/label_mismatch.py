"""How far the depth that a light curve's fit finds may be from the label, beyond the fit's own error.

Spots that the planet does not cross, or a star in the aperture, change the depth by a factor that no transit
model can tell from the spectrum itself (Rackham et al. 2018, ApJ 853, 122): in most planets there is none, in
some it is several error bars. And noise that the model does not know (slow, common to all wavelengths) moves
depths by some ppm:

    found depth = label * (1 + B m) + B a
    m = 0 with probability 1 - share,  m ~ N(mean, covariance) with probability share;   a ~ N(0, floor^2)
    and with a small probability m ~ N(0, large^2), several per cent: nothing in a light curve tells which
    planet

B has a common level, FGS1 apart, and a slope over AIRS-CH0. All is learned from the train planets, whose
labels are known (`learn_nuisance`); the anchor then carries the possibilities, weighted by what the light
curves say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

MODES = 3
TERMS = 2 * MODES  # relative, then absolute
_CLEAN = 0.01  # size of m, in units of its width, that counts as none
_DEFAULT_SD = np.array([3e-3, 3e-3, 1e-3])  # relative; this and the next three: docs/decisions.md D17
_DEFAULT_FLOOR = np.array([5e-6, 5e-6, 5e-6])
_DEFAULT_SHARE = 0.25
_PRIOR_PLANETS = 4.0  # the defaults count like so many planets
# a fit that went astray or a label that is: in learning it must not widen the errors of the others
_GROSS_SD, _GROSS_SHARE = np.array([0.1, 0.1, 0.03]), 0.01
# and what the anchor expects of them: docs/decisions.md D97
_LARGE, _LARGE_SHAPE, _LARGE_SHARE = 0.04, np.array([1.0, 0.6, 0.2]), 0.02
_LARGE_PRIOR_PLANETS, _LARGE_PRIOR_SHARE_PLANETS, _LARGEST = 3.0, 60.0, 0.1


@dataclass(frozen=True)
class MismatchComponent:
    """One possibility: a Gaussian of (m, a); M = 6 terms, or none where no label was seen."""

    mean: np.ndarray  # (M,)
    covariance: np.ndarray  # (M, M)
    share: float  # its probability

    @cached_property
    def precision(self) -> np.ndarray:
        """(M, M)."""
        return np.linalg.inv(self.covariance)

    @cached_property
    def log_density(self) -> float:
        """ln of its share times its density at (m, a) = 0, but a constant."""
        log_det = np.linalg.slogdet(self.precision)[1]
        return math.log(self.share) + 0.5 * float(log_det - self.mean @ self.precision @ self.mean)


NO_MISMATCH = MismatchComponent(np.zeros(0), np.zeros((0, 0)), 1.0)


@dataclass(frozen=True)
class MismatchMoments:
    """What the light curves of N planets say of their mismatch, labels given."""

    probability: np.ndarray  # (N,) that there is one
    trust: np.ndarray  # (N,) probability that the fit did not go astray
    mean: np.ndarray  # (N, 3) E[m] where there is one
    second_moment: np.ndarray  # (N, 3, 3) E[m m'] where there is one
    absolute: np.ndarray  # (N, 3) E[a]
    absolute_variance: np.ndarray  # (N, 3)
    large_square: np.ndarray  # (N,) E[m^2] of the level where the fit or the label went astray

    @classmethod
    def joined(cls, parts: Sequence[MismatchMoments]) -> MismatchMoments:
        """Those of all planets."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class LabelMismatch:
    """Distribution of (level, FGS1, slope) over the planets."""

    mean: np.ndarray  # (3,) relative to the depth
    covariance: np.ndarray  # (3, 3) the same
    share: float  # of planets that have any
    floor: np.ndarray  # (3,) 1 sigma of the absolute errors of all planets, depth
    learned_from: int = 0  # planets
    large: float = _LARGE  # 1 sigma of the level of a label that is far off, relative
    large_share: float = _LARGE_SHARE  # of planets that have such a label

    def possibilities(self) -> tuple[MismatchComponent, ...]:
        """No mismatch, some, and a large one, for a planet whose label nobody knows."""
        none, some = self.components()
        rest = 1.0 - self.large_share
        sd = self.large * _LARGE_SHAPE
        large = MismatchComponent(np.zeros(TERMS), self._with_floor(np.diag(sd**2)), self.large_share)
        return replace(none, share=rest * none.share), replace(some, share=rest * some.share), large

    def components(self) -> tuple[MismatchComponent, MismatchComponent]:
        """No mismatch, and some."""
        return (
            MismatchComponent(
                np.zeros(TERMS), self._with_floor(_CLEAN**2 * self.covariance), 1.0 - self.share
            ),
            MismatchComponent(
                np.r_[self.mean, np.zeros(MODES)], self._with_floor(self.covariance), self.share
            ),
        )

    def gross(self) -> MismatchComponent:
        """For learning only: a planet whose fit and label have nothing to do with each other, however far."""
        return MismatchComponent(np.zeros(TERMS), self._with_floor(np.diag(_GROSS_SD**2)), _GROSS_SHARE)

    def _with_floor(self, covariance: np.ndarray) -> np.ndarray:
        whole = np.diag(np.r_[np.zeros(MODES), self.floor**2])
        whole[:MODES, :MODES] = covariance
        return whole

    def updated(self, seen: MismatchMoments) -> LabelMismatch:
        """One M step from the planets' posteriors.

        The floor takes MacKay's fixed point, sum a^2 / sum (1 - v / floor^2): EM takes hundreds of steps.
        """
        default, weight, trust = default_mismatch(), float(seen.probability.sum()), seen.trust
        centre = seen.probability @ seen.mean / (weight + _PRIOR_PLANETS)
        moment = np.einsum("n,nij->ij", seen.probability, seen.second_moment)
        moment -= weight * np.outer(centre, centre)
        share = (weight + _PRIOR_PLANETS * default.share) / (float(trust.sum()) + _PRIOR_PLANETS)
        # share of each absolute error that the data determine
        known = np.clip(1.0 - seen.absolute_variance / self.floor**2, 0.02, 1.0)
        astray = 1.0 - trust
        large2 = float(astray @ seen.large_square.clip(max=_LARGEST**2)) + _LARGE_PRIOR_PLANETS * _LARGE**2
        large2 /= float(astray.sum()) + _LARGE_PRIOR_PLANETS
        large_share = float(astray.sum()) + _LARGE_PRIOR_SHARE_PLANETS * _LARGE_SHARE
        floor2 = trust @ seen.absolute**2 + _PRIOR_PLANETS * default.floor**2
        floor2 /= trust @ known + _PRIOR_PLANETS
        return LabelMismatch(
            mean=centre,
            covariance=(moment + _PRIOR_PLANETS * default.covariance) / (weight + _PRIOR_PLANETS),
            share=float(np.clip(share, 1e-3, 0.999)),
            floor=np.sqrt(np.clip(floor2, (0.2 * self.floor) ** 2, (5.0 * self.floor) ** 2)),
            learned_from=len(trust),
            large=math.sqrt(large2),
            large_share=large_share / (len(trust) + _LARGE_PRIOR_SHARE_PLANETS),
        )


def default_mismatch(*, floor: float | None = None) -> LabelMismatch:
    """Before any label is seen."""
    return LabelMismatch(
        mean=np.zeros(MODES),
        covariance=np.diag(_DEFAULT_SD**2),
        share=_DEFAULT_SHARE,
        floor=_DEFAULT_FLOOR.copy() if floor is None else np.full(MODES, floor),
    )


def mismatch_basis(wavelength_um: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(W, 6): what (m, a) change of a spectrum ``depth`` (W,)."""
    airs = np.asarray(wavelength_um, dtype=np.float64)[1:]
    shapes = np.zeros((len(airs) + 1, MODES))
    shapes[:, 0], shapes[0, 1] = 1.0, 1.0
    shapes[1:, 2] = (2.0 * airs - airs[0] - airs[-1]) / (airs[-1] - airs[0])
    return np.concatenate([depth[:, None] * shapes, shapes], axis=1)
