"""Mean and scale of a network's features."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

FEATURE_LIMIT = 5.0  # standard deviations


@dataclass(frozen=True)
class Normaliser:
    """Learned from the train rows and saved with the model. F features of a bin, S of a star."""

    bin_mean: np.ndarray  # (F,)
    bin_scale: np.ndarray  # (F,)
    star_mean: np.ndarray  # (S,)
    star_scale: np.ndarray  # (S,)
    star_names: tuple[str, ...]

    @classmethod
    def fit(cls, rows: Sequence[Mapping[str, Any]]) -> Normaliser:
        """From `dataset.visit_row` of each train visit."""
        bins = np.stack([row["bins"] for row in rows])  # (V, 283, F)
        names = tuple(sorted(set.intersection(*(set(row["star"]) for row in rows))))
        star = np.array([[row["star"][name] for name in names] for row in rows], dtype=np.float64)
        star = np.where(np.isfinite(star), star, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a feature that no row has
            star_mean, star_scale = (np.nan_to_num(of(star, axis=0)) for of in (np.nanmean, np.nanstd))
        return cls(
            bin_mean=bins.mean(axis=(0, 1)),
            bin_scale=np.maximum(bins.std(axis=(0, 1)), 1e-6),
            star_mean=star_mean,
            star_scale=np.where(star_scale > 1e-9, star_scale, 1.0),
            star_names=names,
        )

    @property
    def features(self) -> dict[str, int]:
        """How many features a bin and a star have, as `models.build_model` takes them."""
        return {"bin_features": len(self.bin_mean), "star_features": len(self.star_mean)}

    def bins(self, values: np.ndarray) -> np.ndarray:
        return np.clip((values - self.bin_mean) / self.bin_scale, -FEATURE_LIMIT, FEATURE_LIMIT)

    def star(self, features: Mapping[str, float]) -> np.ndarray:
        """A missing or non-finite feature becomes the train mean, that is 0."""
        values = np.array([features.get(name, np.nan) for name in self.star_names], dtype=np.float64)
        z = np.where(np.isfinite(values), (values - self.star_mean) / self.star_scale, 0.0)
        return np.clip(z, -FEATURE_LIMIT, FEATURE_LIMIT)

    def to_dict(self) -> dict[str, Any]:
        return {name: np.asarray(value).tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Normaliser:
        names = ("bin_mean", "bin_scale", "star_mean", "star_scale")
        arrays = {name: np.asarray(content[name]) for name in names}
        return cls(**arrays, star_names=tuple(content["star_names"]))
