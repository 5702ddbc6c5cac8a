"""The batch contract: light curves, measurement and anchor of each visit as tensors. One row is one visit.

Letters: V visits, T time steps, F features of a bin, S features of a star.

    fgs1 (V,T)        residual to the anchor's model in units of flux_err      fgs1_transit (V,T)  transit
    shape in [-1, 0] airs (V,T,282)    the same per wavelength                                  time (V,T)
    half durations from mid-transit mask (V,T)        True where a time step is real
    bins (V,283,F), star (V,S)  standardised features anchor_depth, anchor_err (V,283)  transit depth
                      depth (V,283)  label, where there is one wavelength_um (283,)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.anchor.spectrum import Anchor
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

RESIDUAL_LIMIT = 8.0  # standard deviations: one cosmic ray must not own a layer's input
FEATURE_LIMIT = 5.0
DEPTH_UNIT = 1e-4  # 100 ppm, the natural size of a spectrum's features
STAR_COLUMNS = ("Rs", "Ms", "Ts", "Mp", "P", "sma", "i")


@dataclass(frozen=True)
class Normaliser:
    """Mean and scale of the features, learned from the train rows and saved with the model."""

    bin_mean: np.ndarray
    bin_scale: np.ndarray
    star_mean: np.ndarray
    star_scale: np.ndarray
    star_names: tuple[str, ...]

    @classmethod
    def fit(cls, rows: Sequence[Mapping[str, Any]]) -> Normaliser:
        bins = np.stack([row["bins"] for row in rows])  # (V, 283, F)
        names = tuple(sorted(set.intersection(*(set(row["star"]) for row in rows))))
        star = np.array([[row["star"][name] for name in names] for row in rows], dtype=np.float64)
        star = np.where(np.isfinite(star), star, np.nan)
        with np.errstate(all="ignore"):
            star_mean, star_scale = (
                np.nan_to_num(np.nanmean(star, axis=0)),
                np.nan_to_num(np.nanstd(star, axis=0)),
            )
        return cls(
            bin_mean=bins.mean(axis=(0, 1)),
            bin_scale=np.maximum(bins.std(axis=(0, 1)), 1e-6),
            star_mean=star_mean,
            star_scale=np.where(star_scale > 1e-9, star_scale, 1.0),
            star_names=names,
        )

    def bins(self, values: np.ndarray) -> np.ndarray:
        return np.clip((values - self.bin_mean) / self.bin_scale, -FEATURE_LIMIT, FEATURE_LIMIT)

    def star(self, features: Mapping[str, float]) -> np.ndarray:
        """A missing or non-finite feature becomes the train mean, that is 0."""
        values = np.array([features.get(name, np.nan) for name in self.star_names], dtype=np.float64)
        z = np.where(np.isfinite(values), (values - self.star_mean) / self.star_scale, 0.0)
        return np.clip(z, -FEATURE_LIMIT, FEATURE_LIMIT)

    def to_dict(self) -> dict[str, Any]:
        return {
            "bin_mean": self.bin_mean.tolist(),
            "bin_scale": self.bin_scale.tolist(),
            "star_mean": self.star_mean.tolist(),
            "star_scale": self.star_scale.tolist(),
            "star_names": list(self.star_names),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Normaliser:
        arrays = {
            name: np.asarray(content[name]) for name in ("bin_mean", "bin_scale", "star_mean", "star_scale")
        }
        return cls(**arrays, star_names=tuple(content["star_names"]))


def visit_row(
    light_curve: LightCurve, measurement: DepthMeasurement, anchor: Anchor, *, star: Mapping[str, float]
) -> dict[str, Any]:
    """Arrays of one visit, not yet standardised; see the module's docstring for shapes and units."""
    fit = next(visit for visit in measurement.visits if visit.visit == light_curve.visit)
    # the anchor's own depths, not the raw ones
    model = fit.baseline_flux * fit.transit(anchor.depth)
    noise = light_curve.flux_err * fit.noise_scale
    residual = np.clip(
        np.nan_to_num((light_curve.flux - model) / noise, nan=0.0, posinf=0.0, neginf=0.0),
        -RESIDUAL_LIMIT,
        RESIDUAL_LIMIT,
    )
    half = max(0.5 * fit.duration_h, 0.25)
    anchor_err, raw_err = np.maximum(anchor.depth_err, 1e-7), np.maximum(anchor.raw_err, 1e-7)
    level = float(np.average(anchor.depth[1:], weights=anchor_err[1:] ** -2))
    bins = np.stack(
        [
            (anchor.depth - level) / DEPTH_UNIT,
            np.clip(
                (anchor.raw_depth - anchor.depth) / np.hypot(raw_err, anchor_err),
                -FEATURE_LIMIT,
                FEATURE_LIMIT,
            ),
            np.log(anchor_err / DEPTH_UNIT),
            np.log(raw_err / DEPTH_UNIT),
            np.full(anchor_err.shape, np.log(max(level, 1e-5))),
        ],
        axis=-1,
    )
    features = {name: float(star[name]) for name in STAR_COLUMNS if name in star}
    features |= {f"anchor_{name}": float(value) for name, value in anchor.features.items()}
    return {
        "planet_id": light_curve.planet_id,
        "visit": light_curve.visit,
        "fgs1": residual[:, 0],
        "airs": residual[:, 1:],
        "fgs1_transit": fit.transit_shape[:, 1],
        "time": (light_curve.time - fit.mid_transit_time) / half,
        "bins": np.nan_to_num(bins),
        "star": features,
        "anchor_depth": anchor.depth,
        "anchor_err": anchor_err,
        "wavelength_um": light_curve.wavelength_um,
    }


class VisitDataset:
    """All rows of a run as stacked tensors, padded to the longest visit; ``batch(rows)`` gives a batch
    dict."""

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
        self.visit = np.array([row["visit"] for row in rows], dtype=np.int64)
        self.normaliser = normaliser
        steps = max(len(row["time"]) for row in rows)
        self.tensors: dict[str, torch.Tensor] = {}
        for name in ("fgs1", "fgs1_transit", "time", "airs"):
            self.tensors[name] = torch.stack([_padded(row[name], steps) for row in rows])
        self.tensors["mask"] = torch.stack([torch.arange(steps) < len(row["time"]) for row in rows])
        self.tensors["bins"] = _float32(np.stack([normaliser.bins(row["bins"]) for row in rows]))
        self.tensors["star"] = _float32(np.stack([normaliser.star(row["star"]) for row in rows]))
        for name in ("anchor_depth", "anchor_err"):
            self.tensors[name] = torch.from_numpy(np.stack([row[name] for row in rows]).astype(np.float64))
        if depth is not None:
            self.tensors["depth"] = torch.from_numpy(
                np.stack([depth[int(p)] for p in self.planet_id]).astype(np.float64)
            )
        self.wavelength_um = _float32(rows[0]["wavelength_um"])

    def __len__(self) -> int:
        return len(self.planet_id)

    def batch(
        self, rows: Sequence[int] | np.ndarray, *, device: str = "cpu", flipped: bool = False
    ) -> dict[str, torch.Tensor]:
        """Rows as a batch on ``device``; ``flipped`` reverses time, under which a transit's depth does not
        change."""
        index = torch.as_tensor(np.asarray(rows, dtype=np.int64))
        batch = {name: tensor[index].to(device) for name, tensor in self.tensors.items()}
        if flipped:
            for name in ("fgs1", "fgs1_transit", "airs", "time", "mask"):
                batch[name] = batch[name].flip(1)
            batch["time"] = -batch["time"]
        batch["wavelength_um"] = self.wavelength_um.to(device)
        return batch

    def rows_of(self, planet_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Row numbers of the given planets' visits."""
        return np.flatnonzero(np.isin(self.planet_id, np.asarray(planet_ids)))


def fold_of_planets(planet_ids: Sequence[int], *, folds: int, seed: int) -> np.ndarray:
    """A fold number for each planet, sizes equal within one; both visits of a planet share it."""
    n = len(planet_ids)
    if not 2 <= folds <= n:
        raise DataError(
            "the number of folds does not fit the number of train planets",
            where="train.folds",
            expected=f"2 … {n}",
            found=str(folds),
            fix="set train.folds within these",
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
