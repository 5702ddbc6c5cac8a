"""Anchors as the calibration sees them: a table of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.anchor.spectrum import Anchor

PREDICTORS = ("chi2", "baseline", "surprise", "raw_gap", "impact", "visits")  # of the error
_LEAST_VARIANCE = 1e-16
_THINNED = slice(4, None, 8)


@dataclass(frozen=True)
class CalibrationTable:
    """N anchors of W bins; F columns, which are standardised before use."""

    depth: Tensor  # (N, W)
    fgs1: Tensor  # (N,) variance
    airs_mean: Tensor  # (N,) variance of the AIRS mean
    airs_shape: Tensor  # (N, W - 1) variance of the mean-removed AIRS bins
    airs_cross: Tensor  # (N, W - 1) twice their covariance with the mean
    level: Tensor  # (N,) mean AIRS depth
    fgs1_spread: Tensor  # (N,) size of the features
    airs_spread: Tensor  # (N,)
    columns: Tensor  # (N, F) ln of the star's flux, u1 of FGS1, then `PREDICTORS`
    place: Tensor  # (W - 1,) AIRS bins on [-1, 1]

    label: Tensor | None = None  # (N, W) depths, where they are known

    @classmethod
    def of(cls, anchors: Sequence[Anchor], labels: np.ndarray | None = None) -> CalibrationTable:
        """At least one anchor, their features known."""
        rows = [_row(anchor) for anchor in anchors]
        columns = {name: torch.as_tensor(np.array([row[name] for row in rows])) for name in rows[0]}
        place = torch.linspace(-1.0, 1.0, columns["airs_shape"].shape[1], dtype=torch.float64)
        return cls(**columns, place=place, label=None if labels is None else torch.as_tensor(labels))

    def rows(self, index: np.ndarray) -> CalibrationTable:
        """Some of the anchors, their labels known."""
        own = (f.name for f in fields(self) if f.name != "place")
        return replace(self, **{name: getattr(self, name)[index] for name in own})

    def thinned(self) -> CalibrationTable:
        """FGS1 and every eighth AIRS bin: neighbours err together, so a fit loses nothing by it."""
        airs = {name: getattr(self, name)[..., _THINNED] for name in ("airs_shape", "airs_cross", "place")}
        depth, label = (torch.cat([v[:, :1], v[:, 1:][:, _THINNED]], 1) for v in (self.depth, self.label))
        return replace(self, depth=depth, label=label, **airs)

    def standards(self) -> tuple[Tensor, Tensor]:
        """Centres and widths (F,) of the columns; a column that does not vary has an infinite width."""
        centre, width = self.columns.mean(0), self.columns.std(0)
        return centre, torch.where(width > 1e-9 * (1.0 + centre.abs()), width, math.inf)


def _row(anchor: Anchor) -> dict[str, np.ndarray | float | list[float]]:
    f, airs = anchor.features, anchor.covariance[1:, 1:]
    with_mean, mean = airs.mean(1), float(airs.mean())
    return {
        "depth": anchor.depth,
        "fgs1": anchor.covariance[0, 0],
        "airs_mean": max(mean, _LEAST_VARIANCE),
        "airs_shape": np.maximum(np.diagonal(airs) - 2.0 * with_mean + mean, _LEAST_VARIANCE),
        "airs_cross": 2.0 * (with_mean - mean),
        "level": f["depth"],
        "fgs1_spread": f["spread"] + 0.5 * abs(f["fgs1_offset"]),
        "airs_spread": f["spread"],
        "columns": [
            f["quality_log_flux"],
            f["u1_fgs1"],
            math.log(max(f["quality_airs_chi2"], 0.1)),
            math.log1p(f["quality_n_out_of_transit"]),
            f["amplitude_surprise"],
            math.log(max(f["raw_gap"], 1e-9) / max(f["airs_err"], 1e-9)),
            f["impact2"],
            f["quality_n_visits"],
        ],
    }
