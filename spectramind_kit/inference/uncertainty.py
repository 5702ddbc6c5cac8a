"""Post-hoc: how far to trust the network, and by how much to widen all error bars, fitted out of fold.

By sensor there are four numbers: how far the network is trusted in the stack of both (`stack.combine`), and
the factors of σ of the anchor alone, of the network alone and of the stack. A factor is the one with the best
official score on planets that the network of their fold has not seen; trust is taken from a grid; what of it
does not help out of fold stays at 1. The stack must gain more than its own standard error on planets that
this fit has not seen either; else the anchor stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from spectramind_kit.inference.stack import SENSORS, Spectra, combine
from spectramind_kit.metric import Metric, ideal_sigma
from spectramind_kit.training.chosen import gain_over, is_better

# A dozen planets can look better than they are by chance, and the score punishes too small an error bar far
# harder than too large a one: log k is shrunk by N / (N + this many planets), narrowing more than widening
# (docs/decisions.md D50)
_PLANETS_TO_NARROW, _PLANETS_TO_WIDEN = 300.0, 4.0
_LEAST_LOG_FACTOR, _MOST_LOG_FACTOR = np.log(0.5), np.log(10.0)
# 1/√trust, by how much the network's errors count wider than they say; a factor of e**0.3 from "a little" is
# as likely as a planet's log likelihood of 1/2
_LOG_TIMES = np.linspace(-1.2, 2.4, 19)
_A_LITTLE, _LOG_TIMES_SPREAD = 0.2, 0.3
# In the decision no planet counts for less than this. One planet whose anchor is hopeless can score -400: it
# would decide alone, and the error of the gain would be as large as the gain.
LEAST_SCORE = -1.0
ANCHOR, NETWORK, BOTH = "anchor", "network", "both"


@dataclass(frozen=True)
class SensorScale:
    """Of the bins of one sensor; as it is, it keeps the anchor."""

    trust: float = 0.0  # of the network in the stack, times its precision; 0: the anchor stands
    anchor_factor: float = 1.0  # of σ, for the anchor alone
    network_factor: float = 1.0  # for the network alone
    both_factor: float = 1.0  # for the stack


@dataclass(frozen=True)
class SigmaScale:
    """The step from anchor and network to the prediction; the identity keeps the anchor as it is."""

    fgs1: SensorScale = field(default_factory=SensorScale)
    airs: SensorScale = field(default_factory=SensorScale)
    alone: bool = False  # the network is submitted wherever there is one, and not stacked

    @property
    def uses_network(self) -> bool:
        """Whether the network counts where there is an anchor as well."""
        return self.alone or self.fgs1.trust > 0.0 or self.airs.trust > 0.0

    def apply(self, anchor: Spectra, network: Spectra | None = None) -> Spectra:
        """The final spectra (N, 283) from the anchors and, where there is one, the network's.

        A planet that the network has not read (NaN) keeps its anchor; one without an anchor (NaN) takes the
        network alone; with neither it stays NaN.
        """
        anchor = _in_float64(anchor)
        network = None if network is None else _in_float64(network)
        mean, sigma = (np.empty_like(values) for values in anchor)
        for name, bins in SENSORS.items():
            own = tuple(values[:, bins] for values in anchor)
            other = None if network is None else tuple(values[:, bins] for values in network)
            mean[:, bins], sigma[:, bins] = _applied(getattr(self, name), own, other, alone=self.alone)
        return mean, sigma

    def share(self, anchor: Spectra, network: Spectra) -> np.ndarray:
        """How much of each planet's and bin's mean (N, 283) is the network's, 0 to 1."""
        share = np.zeros(anchor[0].shape)
        for name, bins in SENSORS.items():
            trust = getattr(self, name).trust
            own, other = (tuple(values[:, bins] for values in spectra) for spectra in (anchor, network))
            if trust and not self.alone:
                share[:, bins] = combine(own, other, trust)[2]
            share[_known(other) & (self.alone | ~_known(own)), bins] = 1.0
        return np.nan_to_num(share)

    def to_dict(self) -> dict[str, float | bool]:
        sensors = {name: asdict(getattr(self, name)) for name in SENSORS}
        flat = {f"{name}_{key}": value for name, of in sensors.items() for key, value in of.items()}
        return {**flat, "alone": self.alone}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> SigmaScale:
        names = asdict(SensorScale())
        sensors = {
            name: SensorScale(**{key: float(content[f"{name}_{key}"]) for key in names}) for name in SENSORS
        }
        return cls(**sensors, alone=bool(content["alone"]))


@dataclass(frozen=True)
class SigmaFit:
    """The scale for new planets, and what it is worth on planets that the fit of their fold has not seen.

    Scores are official ones, not clipped at 0; a planet without a prediction counts as naive.
    """

    scale: SigmaScale
    cross_fitted_score: float
    anchor_score: float  # of the anchor as it is
    # what the network adds to the best fit of the anchor alone, no planet scored below -1, and its standard
    # error over the planets
    gain: float
    gain_error: float
    shares: dict[str, float]  # the score of each option: anchor, network, both


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
    depth: np.ndarray,
    anchor: Spectra,
    network: Spectra | None = None,
    *,
    fold: np.ndarray,
    metric: Metric,
    alone: bool = False,
) -> SigmaFit:
    """Fit `SigmaScale` on out-of-fold predictions.

    Parameters
    ----------
    depth : array (N, 283)
        Labels of the train planets.
    anchor, network : pairs of arrays (N, 283)
        Their out-of-fold depths and errors; rows of NaN where there is none.
    fold : int array (N,)
        The fold of each planet; the fit for a fold uses the others.
    alone : bool
        The network is submitted without the anchor, whatever it gains.
    """
    planets = _Planets(depth, _in_float64(anchor), None if network is None else _in_float64(network))
    options = (ANCHOR,) if network is None else (ANCHOR, NETWORK, BOTH)
    scores = {option: _cross_fitted(planets, fold, option=option, metric=metric) for option in options}
    identity = _scores(planets, SigmaScale(), metric)
    # scaling the anchor alone does not help out of fold: leave it
    keep_anchor = bool(identity.mean() >= scores[ANCHOR].mean())
    if keep_anchor:
        scores[ANCHOR] = identity
    keep_both = False
    if network is not None:  # nor of the stack, where few planets say what the numbers are
        unscaled = _scores(planets, _unscaled(SigmaScale()), metric)
        keep_both = bool(unscaled.mean() >= scores[BOTH].mean())
        scores[BOTH] = unscaled if keep_both else scores[BOTH]
    tried = ANCHOR if network is None else NETWORK if alone else BOTH
    bounded = {option: np.maximum(of, LEAST_SCORE) for option, of in scores.items()}
    gain, gain_error = gain_over(bounded[tried], bounded[ANCHOR])
    more = scores[tried].mean() > scores[ANCHOR].mean() and is_better(bounded[tried], bounded[ANCHOR])
    chosen = tried if tried != BOTH or more else ANCHOR
    scale = _fit(planets, option=chosen, metric=metric, keep_anchor=keep_anchor)
    return SigmaFit(
        scale=_unscaled(scale) if chosen == BOTH and keep_both else scale,
        cross_fitted_score=float(scores[chosen].mean()),
        anchor_score=float(identity.mean()),
        gain=gain,
        gain_error=gain_error,
        shares={option: float(of.mean()) for option, of in scores.items()},
    )


def _unscaled(scale: SigmaScale) -> SigmaScale:
    """The same, but the stack as it is: both spectra are believed."""
    sensors = {name: replace(getattr(scale, name), trust=1.0, both_factor=1.0) for name in SENSORS}
    return replace(scale, **sensors)


def _in_float64(spectra: Spectra) -> Spectra:
    depth, err = (np.asarray(values, dtype=np.float64) for values in spectra)
    return depth, err


def _known(spectra: Spectra) -> np.ndarray:
    """Which planets (N,) have a spectrum."""
    return np.isfinite(spectra[0]).all(axis=1) & np.isfinite(spectra[1]).all(axis=1)


def _applied(scale: SensorScale, anchor: Spectra, network: Spectra | None, *, alone: bool) -> Spectra:
    """`SigmaScale.apply` for the bins of one sensor."""
    mean, sigma = anchor[0].copy(), anchor[1] * scale.anchor_factor
    if network is None:
        return mean, sigma
    read, anchored = _known(network), _known(anchor)
    both, only = read & anchored & (scale.trust > 0.0) & (not alone), read & (alone | ~anchored)
    if both.any():
        own, other = (tuple(values[both] for values in spectra) for spectra in (anchor, network))
        mean[both], stacked, _ = combine(own, other, scale.trust)
        sigma[both] = stacked * scale.both_factor
    mean[only], sigma[only] = network[0][only], network[1][only] * scale.network_factor
    return mean, sigma


def _fit(planets: _Planets, *, option: str, metric: Metric, keep_anchor: bool = False) -> SigmaScale:
    """The scale that submits ``option``; what only some planets need is fitted as well."""
    sensors = {
        name: _fit_sensor(planets, bins, stacked=option == BOTH, metric=metric, keep_anchor=keep_anchor)
        for name, bins in SENSORS.items()
    }
    return SigmaScale(**sensors, alone=option == NETWORK)


def _fit_sensor(
    planets: _Planets, bins: slice, *, stacked: bool, metric: Metric, keep_anchor: bool
) -> SensorScale:
    # what a σ that is e times as large costs a bin, (N, 283): the score is linear in log likelihoods
    cost = 1.0 - metric.element_scores(planets.depth, planets.depth, np.e * ideal_sigma())
    depth, cost = planets.depth[:, bins], cost[:, bins]
    anchor = tuple(values[:, bins] for values in planets.anchor)
    anchor_factor = 1.0 if keep_anchor else _best_factor(depth, anchor, cost)[0]
    if planets.network is None:
        return SensorScale(anchor_factor=anchor_factor)
    network = tuple(values[:, bins] for values in planets.network)
    network_factor = _best_factor(depth, network, cost)[0]
    trust, both_factor = _best_trust(depth, anchor, network, cost) if stacked else (0.0, 1.0)
    return SensorScale(trust, anchor_factor, network_factor, both_factor)


def _best_trust(
    depth: np.ndarray, anchor: Spectra, network: Spectra, cost: np.ndarray
) -> tuple[float, float]:
    """The trust that is most likely, and the factor of the stack with it."""
    known = _known(anchor) & _known(network)
    own, other = (tuple(values[known] for values in spectra) for spectra in (anchor, network))
    best, found = -np.inf, (0.0, 1.0)
    for log_times in _LOG_TIMES:
        trust = float(np.exp(-2.0 * log_times))
        mean, sigma, _ = combine(own, other, trust)
        factor, log_likelihood = _best_factor(depth[known], (mean, sigma), cost[known])
        likely = log_likelihood - 0.5 * ((log_times - _A_LITTLE) / _LOG_TIMES_SPREAD) ** 2
        if likely > best:
            best, found = likely, (trust, factor)
    return found


def _best_factor(depth: np.ndarray, spectra: Spectra, cost: np.ndarray) -> tuple[float, float]:
    """The factor of σ with the best score, shrunk for few planets, and the log likelihood that it leaves.

    The likelihood is that of each planet's mean bin, but for a constant: errors of a planet's bins are alike.
    """
    mean, sigma = spectra
    known = _known(spectra)
    n = int(known.sum())
    if not n:
        return 1.0, 0.0
    pull2, weight = (((mean - depth) / sigma) ** 2)[known], cost[known] / cost[known].mean()
    log_k = 0.5 * np.log(np.maximum((weight * pull2).mean(), 1e-12))
    log_k = float(np.clip(log_k, _LEAST_LOG_FACTOR, _MOST_LOG_FACTOR))
    log_k *= n / (n + (_PLANETS_TO_NARROW if log_k < 0 else _PLANETS_TO_WIDEN))
    log_likelihood = -weight * (0.5 * pull2 * np.exp(-2.0 * log_k) + np.log(sigma[known]) + log_k)
    return float(np.exp(log_k)), float(log_likelihood.mean(axis=1).sum())


def _cross_fitted(planets: _Planets, fold: np.ndarray, *, option: str, metric: Metric) -> np.ndarray:
    """Score of each planet (N,) with a scale fitted on the other folds."""
    scores = np.empty(len(planets.depth))
    for k in np.unique(fold):
        scale = _fit(planets.only(fold != k), option=option, metric=metric)
        scores[fold == k] = _scores(planets.only(fold == k), scale, metric)
    return scores


def _scores(planets: _Planets, scale: SigmaScale, metric: Metric) -> np.ndarray:
    """Of each planet (N,); 0, that of the naive prediction, without a spectrum."""
    spectra = scale.apply(planets.anchor, planets.network)
    return np.nan_to_num(metric.planet_scores(planets.depth, *spectra))
