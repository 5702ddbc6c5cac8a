"""Light curves, measurements and anchors as batches for a network, which `models.batch` describes.

One row is one visit. V visits, T time steps, F features of a bin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import SERIES
from spectramind_kit.training.normaliser import FEATURE_LIMIT, Normaliser
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

RESIDUAL_LIMIT = 8.0  # standard deviations: one cosmic ray must not own a layer's input
DEPTH_UNIT = 1e-4  # 100 ppm, the natural size of a spectrum's features
STAR_COLUMNS = ("Rs", "Ms", "Ts", "Mp", "P", "sma", "i")


def planet_rows(
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
) -> list[dict[str, Any]]:
    """`visit_row` of every measured visit of every planet that has an anchor."""
    rows = []
    for planet, anchor in anchors.items():
        star = stars.loc[planet].to_dict() if planet in stars.index else {}
        measurement = measurements[planet]
        measured = {visit.visit for visit in measurement.visits}
        visits = [curve for curve in light_curves[planet] if curve.visit in measured]
        rows += [visit_row(curve, measurement, anchor, star=star) for curve in visits]
    return rows


def visit_row(
    light_curve: LightCurve, measurement: DepthMeasurement, anchor: Anchor, *, star: Mapping[str, float]
) -> dict[str, Any]:
    """Arrays of one visit as in `models.batch.CONTRACT`, but not yet standardised, and the star's by name."""
    fit = next(visit for visit in measurement.visits if visit.visit == light_curve.visit)
    # the anchor's own depths, not the raw ones
    model = fit.baseline_flux * fit.transit(anchor.depth)
    residual = (light_curve.flux - model) / (light_curve.flux_err * fit.noise_scale)
    residual = np.clip(
        np.nan_to_num(residual, nan=0.0, posinf=0.0, neginf=0.0), -RESIDUAL_LIMIT, RESIDUAL_LIMIT
    )
    valid = np.isfinite(light_curve.flux).any(axis=1)
    features = {name: float(star[name]) for name in STAR_COLUMNS if name in star}
    features |= {f"anchor_{name}": float(value) for name, value in anchor.features.items()}
    anchor_err = np.maximum(anchor.depth_err, 1e-7)
    return {
        "planet_id": light_curve.planet_id,
        "visit": light_curve.visit,
        "fgs1": residual[:, 0],
        "white": residual[:, 1:].sum(axis=1) / np.sqrt(residual.shape[1] - 1),
        "airs": residual[:, 1:],
        "transit_shape": fit.transit_shape[:, 1],
        "time": (light_curve.time - fit.mid_transit_time) / max(0.5 * fit.duration_h, 0.25),
        "mask": valid,
        "weight": valid / max(valid.sum(), 1),
        "bins": _bin_features(anchor, anchor_err),
        "star": features,
        "reference_depth": anchor.depth,
        "reference_err": anchor_err,
        "wavelength_um": light_curve.wavelength_um,
    }


def _bin_features(anchor: Anchor, anchor_err: np.ndarray) -> np.ndarray:
    """(283, F): the spectrum's shape, how far the prior moved it, logarithms of both errors and the level."""
    raw_err = np.maximum(anchor.raw_err, 1e-7)
    level = float(np.average(anchor.depth[1:], weights=anchor_err[1:] ** -2))
    moved = (anchor.raw_depth - anchor.depth) / np.hypot(raw_err, anchor_err)
    features = (
        (anchor.depth - level) / DEPTH_UNIT,
        np.clip(moved, -FEATURE_LIMIT, FEATURE_LIMIT),
        np.log(anchor_err / DEPTH_UNIT),
        np.log(raw_err / DEPTH_UNIT),
        np.full(anchor_err.shape, np.log(max(level, 1e-5))),
    )
    return np.nan_to_num(np.stack(features, axis=-1))


class VisitDataset:
    """All rows of a run as stacked tensors, padded to the longest visit; ``batch(rows)`` gives a batch."""

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        normaliser: Normaliser,
        depth: Mapping[int, np.ndarray] | None = None,
    ):
        if not rows:
            raise DataError(
                "there is no visit to learn from or predict",
                where="dataset",
                expected="at least one visit",
                found="none",
                fix="see the failures in run.json",
            )
        self.planet_id = np.array([row["planet_id"] for row in rows], dtype=np.int64)
        self.normaliser = normaliser
        steps = max(len(row["time"]) for row in rows)
        self.tensors: dict[str, torch.Tensor] = {
            name: torch.stack([_padded(row[name], steps) for row in rows]) for name in SERIES
        }
        self.tensors["mask"] = self.tensors["mask"].bool()
        self.tensors["bins"] = _float32(np.stack([normaliser.bins(row["bins"]) for row in rows]))
        self.tensors["star"] = _float32(np.stack([normaliser.star(row["star"]) for row in rows]))
        depths = {name: [row[name] for row in rows] for name in ("reference_depth", "reference_err")}
        if depth is not None:
            depths["depth"] = [depth[int(p)] for p in self.planet_id]
        for name, values in depths.items():
            self.tensors[name] = torch.from_numpy(np.stack(values).astype(np.float64))
        self.wavelength_um = _float32(rows[0]["wavelength_um"])

    def __len__(self) -> int:
        return len(self.planet_id)

    @property
    def features(self) -> dict[str, int]:
        """How many features a bin and a star have, as `models.build_model` takes them."""
        return {
            "bin_features": self.tensors["bins"].shape[-1],
            "star_features": self.tensors["star"].shape[-1],
        }

    def batch(
        self, rows: Sequence[int] | np.ndarray, *, device: str = "cpu", flipped: bool = False
    ) -> dict[str, torch.Tensor]:
        """Rows as a batch; ``flipped`` reverses time, under which a transit's depth does not change."""
        index = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        batch = {name: tensor[index].to(device) for name, tensor in self.tensors.items()}
        if flipped:
            for name in SERIES:
                batch[name] = batch[name].flip(1)
            batch["time"] = -batch["time"]
        _, visit_of = np.unique(self.planet_id[index.numpy()], return_inverse=True)
        batch["visit_of"] = torch.from_numpy(visit_of).to(device)
        batch["wavelength_um"] = self.wavelength_um.to(device)
        return batch

    def batches(
        self, rows: np.ndarray, *, size: int, rng: np.random.Generator | None = None
    ) -> list[np.ndarray]:
        """The rows in parts of about ``size``, the visits of a planet together; shuffled with ``rng``."""
        planets = self.planet_id[rows]
        _, first, group = np.unique(planets, return_index=True, return_inverse=True)
        place = np.argsort(np.argsort(first)) if rng is None else rng.permutation(len(first))
        rows = rows[np.argsort(place[group], kind="stable")]
        starts = np.flatnonzero(np.r_[True, np.diff(self.planet_id[rows]) != 0])
        cuts = [0]
        for start in (*starts[1:].tolist(), len(rows)):
            if start - cuts[-1] >= size:
                cuts.append(start)
        return [part for part in np.split(rows, cuts[1:]) if len(part)]

    def rows_of(self, planet_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Row numbers of the given planets' visits."""
        return np.flatnonzero(np.isin(self.planet_id, np.asarray(planet_ids)))


def fold_of_planets(planet_ids: Sequence[int], *, folds: int, seed: int) -> np.ndarray:
    """A fold number for each planet, sizes equal within one; both visits of a planet share it."""
    n = len(planet_ids)
    if not 2 <= folds <= n:
        raise DataError(
            "the number of folds does not fit the number of train planets",
            where="train.folds, or folds of a call",
            expected=f"2 … {n}" if n > 1 else "two planets or more",
            found=f"{folds} folds of {n} planets",
            fix="take fewer folds, or more planets",
        )
    order = np.random.default_rng(seed).permutation(n)
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % folds
    return fold


def _padded(values: np.ndarray, steps: int) -> torch.Tensor:
    pad = [(0, steps - len(values))] + [(0, 0)] * (np.ndim(values) - 1)
    return _float32(np.pad(np.asarray(values), pad))


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
