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
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from spectramind_kit.metric import FGS1_WEIGHT, Metric

NETWORK_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_LOG_SCALES = np.linspace(np.log(0.5), np.log(3.0), 61)
# A dozen planets can look better than they are by chance, and the score punishes too small an error bar far
# harder than too large a one: log k is shrunk by N / (N + this many planets), narrowing more than widening
# (docs/decisions.md D50)
_PLANETS_TO_NARROW, _PLANETS_TO_WIDEN = 30.0, 4.0
# the gain must exceed its error by 1 + 12/N: an error from a dozen planets is uncertain
# (docs/decisions.md D49)
_DOUBT_PLANETS = 12.0

Spectra = tuple[np.ndarray, np.ndarray]  # depths and their 1-sigma errors, (N, 283) each


@dataclass(frozen=True)
class SigmaScale:
    """The step from the anchor to the prediction; the identity keeps the anchor as it is."""

    network_share: float = 0.0  # w
    fgs1_factor: float = 1.0  # k of bin 0
    airs_factor: float = 1.0  # k of the others

    def apply(self, anchor: Spectra, network: Spectra | None = None) -> Spectra:
        """The final spectra from the anchors and, where there is one, the network's."""
        mean, sigma = _blend(anchor, network, self.network_share)
        factor = np.r_[self.fgs1_factor, np.full(mean.shape[-1] - 1, self.airs_factor)]
        return mean, sigma * factor

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SigmaScale:
        return cls(**{f.name: float(content[f.name]) for f in fields(cls)})


@dataclass(frozen=True)
class SigmaFit:
    """The scale for new planets, and what it is worth on planets that the fit of their fold has not seen.

    Scores are official ones, not clipped.
    """

    scale: SigmaScale
    cross_fitted_score: float
    anchor_score: float  # of the anchor as it is
    gain: float  # of the fitted blend over the best fit of the anchor alone
    gain_error: float  # its standard error over the planets
    shares: dict[str, float]  # the score by network share


@dataclass(frozen=True)
class _Planets:
    """N train planets whose predictions are out of fold."""

    depth: np.ndarray  # (N, 283) labels
    anchor: Spectra
    network: Spectra | None

    def only(self, rows: np.ndarray) -> _Planets:
        network = None if self.network is None else tuple(values[rows] for values in self.network)
        return _Planets(self.depth[rows], tuple(values[rows] for values in self.anchor), network)


def fit_sigma_scale(
    depth: np.ndarray, anchor: Spectra, network: Spectra | None = None, *, fold: np.ndarray, metric: Metric
) -> SigmaFit:
    """Fit `SigmaScale` on out-of-fold predictions.

    Parameters
    ----------
    depth : array (N, 283)
        Labels of the train planets.
    anchor, network : pairs of arrays (N, 283)
        Their out-of-fold depths and errors.
    fold : int array (N,)
        The fold of each planet; the fit for a fold uses the others.
    """
    planets, shares = _Planets(depth, anchor, network), NETWORK_SHARES if network is not None else (0.0,)
    by_share = {w: _cross_fitted(planets, fold, share=w, metric=metric) for w in shares}
    identity = metric.planet_scores(depth, *anchor)
    # scaling the anchor alone does not help out of fold: leave it
    if identity.mean() >= by_share[0.0].mean():
        by_share[0.0] = identity
        base = SigmaScale()
    else:
        base = _fit_factors(planets, share=0.0, metric=metric)
    best = max(shares, key=lambda w: by_share[w].mean())
    difference = by_share[best] - by_share[0.0]
    gain = float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else float("inf")
    chosen = best if best > 0.0 and gain > error * (1.0 + _DOUBT_PLANETS / len(depth)) else 0.0
    return SigmaFit(
        scale=_fit_factors(planets, share=chosen, metric=metric) if chosen else base,
        cross_fitted_score=float(by_share[chosen].mean()),
        anchor_score=float(identity.mean()),
        gain=gain,
        gain_error=error,
        shares={f"{w:g}": float(s.mean()) for w, s in by_share.items()},
    )


def _blend(anchor: Spectra, network: Spectra | None, share: float) -> Spectra:
    depth, err = (np.asarray(values, dtype=np.float64) for values in anchor)
    if not share or network is None:
        return depth, err
    mean, sigma = network
    return depth + share * (mean - depth), np.exp((1.0 - share) * np.log(err) + share * np.log(sigma))


def _fit_factors(planets: _Planets, *, share: float, metric: Metric) -> SigmaScale:
    """The factors with the best score: the two instruments' bins share none, so two line searches."""
    mean, sigma = _blend(planets.anchor, planets.network, share)
    n, best = len(planets.depth), []
    for part, weight in ((slice(0, 1), FGS1_WEIGHT), (slice(1, None), 1.0)):
        scores = (metric.element_scores(planets.depth, mean, sigma * np.exp(log_k)) for log_k in _LOG_SCALES)
        log_k = float(_LOG_SCALES[int(np.argmax([float(s[:, part].sum() * weight) for s in scores]))])
        shy = _PLANETS_TO_NARROW if log_k < 0 else _PLANETS_TO_WIDEN
        best.append(float(np.exp(log_k * n / (n + shy))))
    return SigmaScale(network_share=share, fgs1_factor=best[0], airs_factor=best[1])


def _cross_fitted(planets: _Planets, fold: np.ndarray, *, share: float, metric: Metric) -> np.ndarray:
    """Score of each planet (N,) with the factors fitted on the other folds."""
    scores = np.empty(len(planets.depth))
    for k in np.unique(fold):
        scale = _fit_factors(planets.only(fold != k), share=share, metric=metric)
        inside = planets.only(fold == k)
        spectra = scale.apply(inside.anchor, inside.network)
        scores[fold == k] = metric.planet_scores(inside.depth, *spectra)
    return scores
