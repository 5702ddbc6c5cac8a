"""Fits the calibration on the official metric, from held-out predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.metric import FGS1_WEIGHT, N_BINS, Metric
from spectramind_kit.transit import flags
from spectramind_kit.transit.anchor.calibration import (
    PRIOR_SD,
    AnchorCalibration,
    calibrated,
    identity_calibration,
)
from spectramind_kit.transit.anchor.calibration_table import CalibrationTable
from spectramind_kit.transit.anchor.spectrum import Anchor

_MIN_PLANETS = 24  # docs/decisions.md D20
_MIN_GAIN = 0.0005  # of the score
_FOLDS = 5
_STRENGTHS = (1.0, 4.0, 16.0)


def fit_calibration(
    anchors: Sequence[Anchor],
    depths: np.ndarray,
    *,
    metric: Metric | None = None,
    strength: float | None = None,
) -> AnchorCalibration:
    """Fit the calibration on anchors whose planets their priors have not seen.

    Parameters
    ----------
    anchors : N held-out anchors, uncalibrated
    depths : (N, W) labels
    metric : by default the one whose naive prediction is that of ``depths``
    strength : how strongly the identity pulls. By default a cross-validation chooses it, and the identity
        itself where the score gains too little, or less than the gain's standard error.

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
    known = [
        np.isfinite(d).all() and not flags.has(a.flags, flags.NO_INFORMATION) for a, d in zip(anchors, depths)
    ]
    own = [a for a, ok in zip(anchors, known) if ok]
    n = len(own)
    if n < _MIN_PLANETS:
        return identity_calibration(n)
    table = CalibrationTable.of(own, depths[known])
    planets = _Planets(table, *table.standards(), metric or Metric.of(depths))
    if strength is not None:
        return planets.calibration(strength)
    sigma = torch.as_tensor(np.array([a.depth_err for a in own])).clamp_min(1e-7)
    before, after = planets.scores(table.depth, sigma), _cross_validated(planets)
    best = int(after.mean(1).argmax())
    gain = after[best] - before
    # a gain within its own error is noise: then the calibration would add its own
    helps = float(gain.mean()) > max(_MIN_GAIN, float(gain.std()) / math.sqrt(n))
    return replace(
        planets.calibration(_STRENGTHS[best]) if helps else identity_calibration(n),
        score_before=float(before.mean()),
        score_after=float(after[best].mean()),
        strength=_STRENGTHS[best],
    )


def _cross_validated(planets: _Planets) -> Tensor:
    """Scores (strengths, N) of each planet under the calibrations of the others."""
    n = len(planets)
    order = np.random.default_rng(0).permutation(n)
    scores = torch.zeros(len(_STRENGTHS), n, dtype=torch.float64)
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        rest, own = planets.rows(np.setdiff1d(order, held)), planets.rows(held)
        for k, strength in enumerate(_STRENGTHS):
            scores[k, held] = own.scores(*own.calibrated(rest.fitted(strength)))
    return scores


@dataclass(frozen=True)
class _Planets:
    """Train planets, their anchors made without their labels."""

    table: CalibrationTable
    centres: Tensor  # (F,) of the columns of all planets
    widths: Tensor  # (F,)
    metric: Metric

    def __len__(self) -> int:
        return len(self.table.depth)

    def rows(self, index: np.ndarray) -> _Planets:
        return replace(self, table=self.table.rows(index))

    def calibrated(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return calibrated(values, self.table, self.centres, self.widths)

    def scores(self, mean: Tensor, sigma: Tensor) -> Tensor:
        """Official score (N,), not clipped; the sensors keep their shares when bins are thinned."""
        r = self.metric.element_scores(self.table.label, mean, sigma)
        return (FGS1_WEIGHT * r[:, 0] + (N_BINS - 1) * r[:, 1:].mean(1)) / (FGS1_WEIGHT + N_BINS - 1)

    def fitted(self, strength: float) -> Tensor:
        """Values (P,) of the highest mean score, with a Gaussian pull to the identity."""
        planets = replace(self, table=self.table.thinned())
        sd = torch.tensor([*PRIOR_SD.values()], dtype=torch.float64)
        values = torch.zeros(len(sd), dtype=torch.float64, requires_grad=True)
        # the score is a mean log likelihood over about 8 e-foldings, the errors of a planet's 283 bins are
        # worth about four independent ones: this makes it something like a log likelihood of all planets
        penalty = 0.5 * strength / (32.0 * len(self))
        optimiser = torch.optim.LBFGS(
            [values],
            max_iter=40,
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-7,
            tolerance_change=1e-6,
        )

        def loss() -> Tensor:
            optimiser.zero_grad()
            score = planets.scores(*planets.calibrated(values)).mean()
            value = penalty * (values / sd).square().sum() - score
            value.backward()
            return value

        with torch.enable_grad():
            optimiser.step(loss)
        found = values.detach()
        return found if bool(torch.isfinite(found).all()) else torch.zeros_like(found)

    def calibration(self, strength: float) -> AnchorCalibration:
        values, centres, widths = (v.numpy() for v in (self.fitted(strength), self.centres, self.widths))
        return AnchorCalibration(values, centres, widths, False, len(self), strength=strength)
