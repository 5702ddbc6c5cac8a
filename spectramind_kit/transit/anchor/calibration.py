"""Calibration of the anchor's mean and error bars on the official metric, from held-out predictions.

Per sensor (docs/decisions.md D20), identity at zero:

    mean     <- mean (1 + gain + tilt P1(l) + bend P2(l) + faint f) + sigma_mean [shift + limb (u1_FGS1 -
    centre)] variance <- k^2 e^(f.x) [posterior, mean and varying part of AIRS apart] + o^2 + (m depth)^2 + (v
    spread)^2

The relative terms are what a foreground that was not (or too much) subtracted leaves, f = ln of the star's
flux, standardised. ``o`` is a floor, ``m depth`` what labels that no transit can reach leave (stellar
contamination, dilution), ``v spread`` grows with the planet's own features, x are standardised features that
predict the error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.metric import FGS1_WEIGHT, N_BINS, Metric
from spectramind_kit.transit import flags
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.whole_file import whole_file

_FORMAT = 1
_PPM = 1e-6
_MIN_PLANETS = 24  # docs/decisions.md D20
_STRENGTHS = (1.0, 4.0, 16.0)
_STRIDE = 8
# name, sd of its prior around the identity value 0 (the penalty is 0.5 (value/sd)^2 over the effective data)
_MEAN = (
    ("gain_fgs1", 0.5),
    ("gain_airs", 0.5),
    ("tilt_airs", 0.3),
    ("bend_airs", 0.3),
    ("faint_fgs1", 0.3),
    ("faint_airs", 0.3),
    ("shift_fgs1", 0.2),
    ("shift_airs", 0.2),
    ("limb_fgs1", 0.2),
    ("limb_airs", 0.2),
)
_SCALE = (("scale_fgs1", 0.3), ("scale_airs_mean", 0.3), ("scale_airs_shape", 0.3))
_EXTRA = tuple(
    (f"{name}_{sensor}", 2.0) for sensor in ("fgs1", "airs") for name in ("floor", "depth", "spread")
)
_FEATURES = ("chi2", "baseline", "surprise", "raw_gap", "impact", "visits")
_PREDICT = tuple((f"{name}_{sensor}", 0.07) for sensor in ("fgs1", "airs") for name in _FEATURES)
_PARAMETERS = (*_MEAN, *_SCALE, *_EXTRA, *_PREDICT)
NAMES = tuple(name for name, _ in _PARAMETERS)
_RELATIVE = 2e-3  # unit of the relative corrections: 0.2 % of the depth
# additive terms are a unit times exp(value): small at the identity, but large enough to have a slope there
_EXTRA_UNIT = {"floor": 4 * _PPM, "depth": 6e-4, "spread": 0.03}


@dataclass(frozen=True)
class AnchorCalibration:
    """Values of `NAMES` and the centres of their features. ``identity``: nothing is changed.

    ``scores``: the official score of the held-out planets before and after, the latter cross-validated.
    """

    values: np.ndarray
    centres: np.ndarray
    widths: np.ndarray
    identity: bool
    n_planets: int
    score_before: float = float("nan")
    score_after: float = float("nan")
    strength: float = float("nan")

    def save(self, path: str | Path) -> None:
        """Write as JSON, atomically."""
        text = {
            "format": _FORMAT,
            "names": list(NAMES),
            "identity": self.identity,
            "n_planets": self.n_planets,
            "values": self.values.tolist(),
            "centres": self.centres.tolist(),
            "widths": self.widths.tolist(),
            "score_before": self.score_before,
            "score_after": self.score_after,
            "strength": self.strength,
        }
        with whole_file(path) as part:
            part.write_text(json.dumps(text, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> AnchorCalibration:
        """Read what `save` wrote; DataError if it is something else."""
        try:
            text = json.loads(Path(path).read_text(encoding="utf-8"))
            fits = text["format"] == _FORMAT and tuple(text["names"]) == NAMES
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                "an anchor calibration cannot be read",
                where=str(path),
                found=str(error),
                fix="run the training stage again",
            ) from error
        if not fits:
            raise DataError(
                "an anchor calibration of another version",
                where=str(path),
                fix="run the training stage again",
            )
        return cls(
            values=np.array(text["values"]),
            centres=np.array(text["centres"]),
            widths=np.array(text["widths"]),
            identity=text["identity"],
            n_planets=text["n_planets"],
            score_before=text["score_before"],
            score_after=text["score_after"],
            strength=text["strength"],
        )


def identity_calibration(n_planets: int = 0) -> AnchorCalibration:
    """Changes nothing."""
    return AnchorCalibration(
        values=np.zeros(len(NAMES)),
        centres=np.zeros(len(_FEATURES) + 2),
        widths=np.ones(len(_FEATURES) + 2),
        identity=True,
        n_planets=n_planets,
    )


@dataclass(frozen=True)
class _Table:
    """Anchors as tensors: what the calibration sees. N planets, W bins."""

    depth: Tensor  # (N, W)
    fgs1: Tensor  # (N,) variance
    mean: Tensor  # (N,) variance of the AIRS mean
    shape: Tensor  # (N, W - 1) variance of the mean-removed AIRS bins
    cross: Tensor  # (N, W - 1) twice their covariance with the mean
    level: Tensor  # (N,)
    spread: Tensor  # (N, 2) size of the features for FGS1 and AIRS
    limb: Tensor  # (N,)
    faint: Tensor  # (N,) ln of the star's flux
    features: Tensor  # (N, F) standardised later
    place: Tensor  # (W - 1,) AIRS bins on [-1, 1]

    def rows(self, index) -> _Table:
        return replace(
            self,
            **{name: getattr(self, name)[index] for name in self.__dataclass_fields__ if name != "place"},
        )

    def thinned(self, stride: int) -> _Table:
        """FGS1 and every ``stride``-th AIRS bin: neighbours err together, so a fit loses nothing by it."""
        bins = slice(stride // 2, None, stride)
        return replace(
            self,
            depth=torch.cat([self.depth[:, :1], self.depth[:, 1:][:, bins]], 1),
            shape=self.shape[:, bins],
            cross=self.cross[:, bins],
            place=self.place[bins],
        )


def _table(anchors: Sequence[Anchor]) -> _Table:
    fgs1, mean, shape, cross, rows = [], [], [], [], []
    for a in anchors:
        block = a.covariance[1:, 1:]
        with_mean, m = block.mean(1), float(block.mean())
        fgs1.append(a.covariance[0, 0])
        mean.append(max(m, 1e-16))
        shape.append(np.maximum(np.diagonal(block) - 2.0 * with_mean + m, 1e-16))
        cross.append(2.0 * (with_mean - m))
        f = a.features
        rows.append(
            [
                f["depth"],
                f["spread"],
                abs(f["fgs1_offset"]),
                f["u1_fgs1"],
                f["quality_log_flux"],
                math.log(max(f["quality_airs_chi2"], 0.1)),
                math.log1p(f["quality_n_out_of_transit"]),
                f["amplitude_surprise"],
                math.log(max(f["raw_gap"], 1e-9) / max(f["airs_err"], 1e-9)),
                f["impact2"],
                f["quality_n_visits"],
            ]
        )
    table = torch.as_tensor(np.array(rows))
    t = {
        k: torch.as_tensor(np.array(v))
        for k, v in (("fgs1", fgs1), ("mean", mean), ("shape", shape), ("cross", cross))
    }
    depth = torch.as_tensor(np.array([a.depth for a in anchors]))
    place = torch.linspace(-1.0, 1.0, depth.shape[1] - 1, dtype=torch.float64)
    return _Table(
        depth=depth,
        place=place,
        level=table[:, 0],
        spread=torch.stack([table[:, 1] + 0.5 * table[:, 2], table[:, 1]], 1),
        limb=table[:, 3],
        faint=table[:, 4],
        features=table[:, 5:],
        **t,
    )


def _centres(table: _Table) -> tuple[Tensor, Tensor]:
    columns = torch.cat([torch.stack([table.faint, table.limb], 1), table.features], 1)
    centre, width = columns.mean(0), columns.std(0)
    return centre, torch.where(width > 1e-9 * (1.0 + centre.abs()), width, torch.full_like(width, math.inf))


def _apply(values: Tensor, table: _Table, centre: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """Calibrated mean and sigma (N, W)."""
    p = dict(zip(NAMES, values))
    faint = ((table.faint - centre[0]) / width[0]).clamp(-3.0, 3.0)
    limb = ((table.limb - centre[1]) / width[1]).clamp(-3.0, 3.0)
    x = ((table.features - centre[2:]) / width[2:]).clamp(-3.0, 3.0)
    place = table.place
    means, sigmas = [], []
    for k, (sensor, part) in enumerate((("fgs1", slice(0, 1)), ("airs", slice(1, None)))):
        relative = (p[f"gain_{sensor}"] + p[f"faint_{sensor}"] * faint)[:, None]
        if k == 1:
            relative = relative + p["tilt_airs"] * place + p["bend_airs"] * (1.5 * place.square() - 0.5)
        # a shift is in units of the planet's own error: sharp planets move less
        shift = (table.fgs1 if k == 0 else table.mean).sqrt() * (
            p[f"shift_{sensor}"] + p[f"limb_{sensor}"] * limb
        )
        means.append(table.depth[:, part] * (1.0 + _RELATIVE * relative) + shift[:, None])
        grow = torch.exp(
            (x * torch.stack([p[f"{name}_{sensor}"] for name in _FEATURES])).sum(1).clamp(-2.0, 2.0) * 2.0
        )
        if k == 0:
            variance = (torch.exp(2.0 * p["scale_fgs1"]) * table.fgs1 * grow)[:, None]
        else:
            km, kv = torch.exp(p["scale_airs_mean"]), torch.exp(p["scale_airs_shape"])
            variance = grow[:, None] * (
                km**2 * table.mean[:, None] + kv**2 * table.shape + km * kv * table.cross
            )
        floor, by_depth, by_spread = (
            torch.exp(p[f"{name}_{sensor}"]) * _EXTRA_UNIT[name] for name in ("floor", "depth", "spread")
        )
        extra = floor**2 + (by_depth * table.level) ** 2 + (by_spread * table.spread[:, k]) ** 2
        sigmas.append((variance.clamp_min(1e-14) + extra[:, None]).sqrt())
    return torch.cat(means, 1), torch.cat(sigmas, 1)


def _planet_scores(metric: Metric, depth: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    """Official score of each planet (N,), not clipped; sensors keep their shares when bins are thinned."""
    r = metric.element_scores(depth, mean, sigma)
    return (FGS1_WEIGHT * r[:, 0] + (N_BINS - 1) * r[:, 1:].mean(1)) / (FGS1_WEIGHT + N_BINS - 1)


def _fit(
    table: _Table, depth: Tensor, metric: Metric, centre: Tensor, width: Tensor, strength: float
) -> Tensor:
    """Maximise the mean score with a Gaussian pull to the identity."""
    table, depth = (
        table.thinned(_STRIDE),
        torch.cat([depth[:, :1], depth[:, 1:][:, _STRIDE // 2 :: _STRIDE]], 1),
    )
    sd = torch.tensor([w for _, w in _PARAMETERS], dtype=torch.float64)
    values = torch.zeros(len(NAMES), dtype=torch.float64, requires_grad=True)
    n = len(depth)
    # the score is a mean log likelihood over about 8 e-foldings, and the errors of one planet's 283 bins are
    # worth about four independent ones: this turns the sum over planets into something like a log likelihood
    penalty = 0.5 * strength / (32.0 * n)
    optimiser = torch.optim.LBFGS(
        [values],
        lr=1.0,
        max_iter=40,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-7,
        tolerance_change=1e-6,
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        mean, sigma = _apply(values, table, centre, width)
        value = -_planet_scores(metric, depth, mean, sigma).mean() + penalty * (values / sd).square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
    result = values.detach()
    return result if bool(torch.isfinite(result).all()) else torch.zeros_like(result)


def fit_calibration(
    anchors: Sequence[Anchor],
    depths: np.ndarray,
    *,
    metric: Metric | None = None,
    folds: int = 5,
    seed: int = 0,
    min_gain: float = 0.0005,
    strengths: Sequence[float] = _STRENGTHS,
) -> AnchorCalibration:
    """Fit the calibration on anchors whose planets their priors have not seen.

    Parameters
    ----------
    anchors : N held-out anchors, uncalibrated
    depths : (N, W) labels
    metric : by default the one whose naive prediction is that of ``depths``
    folds, strengths, min_gain : a cross-validation chooses how strongly the identity pulls; below this gain
    of the score, or
        below one standard error of the gain, the identity itself is returned (never with min_gain = -inf)

    Returns
    -------
    AnchorCalibration
        The identity when there are fewer than 24 planets: the prior's `LabelMismatch` is cautious then.
    """
    depths = np.asarray(depths, dtype=np.float64)
    if len(anchors) != len(depths):
        raise DataError(
            "anchors and labels do not fit",
            where="fit_calibration",
            expected=f"{len(anchors)} rows",
            found=str(depths.shape),
            fix="pass one label row per anchor",
        )
    usable = [
        k
        for k, a in enumerate(anchors)
        if np.isfinite(depths[k]).all() and not flags.has(a.flags, flags.NO_INFORMATION)
    ]
    if len(usable) < _MIN_PLANETS:
        return identity_calibration(len(usable))
    table, y = _table([anchors[k] for k in usable]), torch.as_tensor(depths[usable])
    metric = metric or Metric.of(depths)
    centre, width = _centres(table)
    sigma = torch.as_tensor(np.array([anchors[k].depth_err for k in usable]))
    before = _planet_scores(metric, y, table.depth, sigma.clamp_min(1e-7))
    order = np.random.default_rng(seed).permutation(len(usable))
    after = torch.zeros(len(strengths), len(usable), dtype=torch.float64)
    for fold in range(folds):
        held = torch.as_tensor(order[fold::folds].copy())
        rest = torch.as_tensor(np.setdiff1d(order, order[fold::folds]))
        for k, strength in enumerate(strengths):
            values = _fit(table.rows(rest), y[rest], metric, centre, width, strength)
            mean, sd = _apply(values, table.rows(held), centre, width)
            after[k, held] = _planet_scores(metric, y[held], mean, sd)
    best = int(after.mean(1).argmax())
    scores = dict(
        score_before=float(before.mean()),
        score_after=float(after[best].mean()),
        strength=float(strengths[best]),
    )
    gain = after[best] - before
    # a gain within its own error is noise: then the calibration would add its own
    error = float(gain.std()) / math.sqrt(len(gain))
    if min_gain > -math.inf and not float(gain.mean()) > max(min_gain, error):
        return replace(identity_calibration(len(usable)), **scores)
    values = _fit(table, y, metric, centre, width, strengths[best])
    return AnchorCalibration(
        values=values.numpy(),
        centres=centre.numpy(),
        widths=width.numpy(),
        identity=False,
        n_planets=len(usable),
        **scores,
    )


def calibrate(anchor: Anchor, calibration: AnchorCalibration) -> Anchor:
    """The anchor with its mean shifted and its covariance rescaled (its correlations are kept)."""
    if calibration.identity or flags.has(anchor.flags, flags.NO_INFORMATION):
        return anchor
    table = _table([anchor])
    with torch.no_grad():
        mean, sigma = _apply(
            torch.as_tensor(calibration.values),
            table,
            torch.as_tensor(calibration.centres),
            torch.as_tensor(calibration.widths),
        )
    ratio = sigma[0].numpy() / np.maximum(anchor.depth_err, 1e-12)
    return replace(anchor, depth=mean[0].numpy(), covariance=anchor.covariance * np.outer(ratio, ratio))
