"""Post-hoc: how far to trust the network, and by how much to widen its error bars, fitted out of fold.

The prediction is a geometric step from the anchor (a, σ_a) towards the network (n, σ_n)::

    depth_mean  = a + w·(n − a)
    log σ       = log σ_a + w·(log σ_n − log σ_a) + log k,      k = k_fgs1 for bin 0, k_airs for the rest

``w`` is taken from a small grid and both ``k`` are those that maximise the official score on planets that the
network of their fold has not seen. ``w > 0`` must gain more than its own standard error (twice as much with a
dozen planets) on planets that this fit has not seen either; else the anchor stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spectramind_kit.metric import FGS1_WEIGHT, element_scores, planet_scores

NETWORK_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LOG_SCALES = np.linspace(np.log(0.5), np.log(3.0), 61)
# A dozen planets can look better than they are by chance, and the score punishes too small an error bar far
# harder than too large a one: log k is shrunk by N / (N + this many planets), narrowing more than widening
# (docs/decisions.md D50)
_PLANETS_TO_NARROW, _PLANETS_TO_WIDEN = 30.0, 4.0
# the gain must exceed its error by 1 + 12/N: an error from a dozen planets is uncertain
# (docs/decisions.md D49)
_DOUBT_PLANETS = 12.0


@dataclass(frozen=True)
class SigmaScale:
    """``network_share`` w and the factors k; the identity keeps the anchor as it is."""

    network_share: float = 0.0
    fgs1_factor: float = 1.0
    airs_factor: float = 1.0

    def apply(
        self,
        anchor_depth: np.ndarray,
        anchor_err: np.ndarray,
        *,
        network_mean: np.ndarray | None = None,
        network_sigma: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Final depth and sigma (N, 283) from the anchor's and, where there is one, the network's."""
        mean, sigma = _blend(anchor_depth, anchor_err, network_mean, network_sigma, self.network_share)
        factor = np.r_[self.fgs1_factor, np.full(mean.shape[-1] - 1, self.airs_factor)]
        return mean, sigma * factor

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SigmaScale:
        return cls(**{name: float(content[name]) for name in ("network_share", "fgs1_factor", "airs_factor")})


@dataclass(frozen=True)
class SigmaFit:
    """The scale for new planets, and what it is worth: official scores (unclipped) on planets that the fit of
    their fold has not seen. ``gain`` and ``gain_error`` compare the fitted blend with the best fit of the
    anchor alone."""

    scale: SigmaScale
    cross_fitted_score: float
    anchor_score: float
    gain: float
    gain_error: float
    shares: dict[str, float]


def fit_sigma_scale(
    depth: np.ndarray,
    anchor_depth: np.ndarray,
    *,
    anchor_err: np.ndarray,
    fold: np.ndarray,
    naive: Mapping[str, float],
    network_mean: np.ndarray | None = None,
    network_sigma: np.ndarray | None = None,
) -> SigmaFit:
    """Fit `SigmaScale` on out-of-fold predictions.

    Parameters
    ----------
    depth, anchor_depth, anchor_err, network_mean, network_sigma : array (N, 283)
        Labels and out-of-fold predictions of the train planets.
    fold : int array (N,)
        The fold of each planet; the fit for a fold uses the others.
    naive : mapping
        ``naive_mean`` and ``naive_sigma`` of the metric.
    """
    anchor = (anchor_depth, anchor_err, None, None)
    both = (anchor_depth, anchor_err, network_mean, network_sigma)
    shares = NETWORK_SHARES if network_mean is not None else (0.0,)

    by_share = {w: _cross_fitted(depth, both if w else anchor, fold, share=w, naive=naive) for w in shares}
    identity = planet_scores(depth, anchor_depth, anchor_err, **naive)
    # scaling the anchor alone does not help out of fold: leave it
    if identity.mean() >= by_share[0.0].mean():
        by_share[0.0] = identity
        base = SigmaScale()
    else:
        base = _fit_factors(depth, anchor, share=0.0, naive=naive)
    best = max(shares, key=lambda w: by_share[w].mean())
    difference = by_share[best] - by_share[0.0]
    gain = float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else float("inf")
    chosen = best if best > 0.0 and gain > error * (1.0 + _DOUBT_PLANETS / len(depth)) else 0.0
    scale = _fit_factors(depth, both, share=chosen, naive=naive) if chosen else base
    return SigmaFit(
        scale=scale,
        cross_fitted_score=float(by_share[chosen].mean()),
        anchor_score=float(identity.mean()),
        gain=gain,
        gain_error=error,
        shares={f"{w:g}": float(s.mean()) for w, s in by_share.items()},
    )


def _blend(
    anchor_depth, anchor_err, network_mean, network_sigma, share: float
) -> tuple[np.ndarray, np.ndarray]:
    if not share or network_mean is None:
        return np.asarray(anchor_depth, dtype=np.float64), np.asarray(anchor_err, dtype=np.float64)
    mean = anchor_depth + share * (network_mean - anchor_depth)
    return mean, np.exp((1.0 - share) * np.log(anchor_err) + share * np.log(network_sigma))


def _fit_factors(
    depth: np.ndarray, predicted: tuple, *, share: float, naive: Mapping[str, float]
) -> SigmaScale:
    """The factors that maximise the score: the bins of the two instruments do not share one, so two line
    searches."""
    mean, sigma = _blend(*predicted, share)
    best = []
    for part in (slice(0, 1), slice(1, None)):
        curve = [_part_score(depth, mean, sigma * np.exp(log_k), part, naive) for log_k in _LOG_SCALES]
        log_k = float(_LOG_SCALES[int(np.argmax(curve))])
        shy = _PLANETS_TO_NARROW if log_k < 0 else _PLANETS_TO_WIDEN
        best.append(float(np.exp(log_k * len(depth) / (len(depth) + shy))))
    return SigmaScale(network_share=share, fgs1_factor=best[0], airs_factor=best[1])


def _part_score(depth, mean, sigma, part: slice, naive) -> float:
    scores = element_scores(depth, mean, sigma, **naive)[:, part]
    return float(scores.sum() * (FGS1_WEIGHT if part.start == 0 else 1.0))


def _cross_fitted(depth, predicted: tuple, fold, *, share: float, naive) -> np.ndarray:
    """Score of each planet (N,) with the factors fitted on the other folds."""
    scores = np.empty(len(depth))
    for k in np.unique(fold):
        inside, outside = fold == k, fold != k
        scale = _fit_factors(depth[outside], _rows(predicted, outside), share=share, naive=naive)
        a, e, n, s = _rows(predicted, inside)
        mean, sigma = scale.apply(a, e, network_mean=n, network_sigma=s)
        scores[inside] = planet_scores(depth[inside], mean, sigma, **naive)
    return scores


def _rows(predicted: tuple, rows: np.ndarray) -> tuple:
    return tuple(None if values is None else values[rows] for values in predicted)
