"""The train labels of a run, and the metric whose naive prediction is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.layout import read_labels
from spectramind_kit.errors import DataError, PlanetFailure
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.folder import RunFolder


@dataclass(frozen=True)
class Labels:
    """Labels of N planets. Raises DataError where planets and rows do not match, or a planet stands twice."""

    planet_ids: np.ndarray  # (N,)
    depth: np.ndarray  # (N, 283)
    metric: Metric  # from every label of the table, also of planets without light curves

    def __post_init__(self) -> None:
        ids = [int(p) for p in self.planet_ids]
        if self.depth.shape[:1] != (len(ids),) or len(set(ids)) != len(ids):
            raise DataError(
                "labels and planets do not match",
                where="Labels",
                expected="one row for each planet, every planet once",
                found=f"{len(ids)} planets, {len(set(ids))} different; depths {self.depth.shape}",
                fix="one of them was taken from a table with doubled rows",
            )

    def of(self, planet_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Labels (M, 283) of the given planets, in their order."""
        row = {int(p): k for k, p in enumerate(self.planet_ids)}
        return self.depth[[row[int(p)] for p in planet_ids]]


def train_labels(run: RunFolder, planet_ids: Iterable[int]) -> Labels:
    """Labels of the planets that have light curves.

    A planet without a whole label (missing, impossible, or given twice) is left out and recorded.
    """
    table = read_labels(run.data_dir, tell=run.tell)
    planet_ids = list(dict.fromkeys(int(p) for p in planet_ids))
    values = table.to_numpy(dtype=np.float64)
    finite = np.isfinite(values).all(axis=1)
    if not finite.any():
        raise DataError(
            "train.csv has no complete row",
            where=str(run.data_dir / "train.csv"),
            expected="283 finite depths a planet",
            found=f"{len(values)} rows",
            fix="use the competition's file",
        )
    metric = Metric.of(values[finite])
    usable = set(table.index[finite])
    chosen = [p for p in planet_ids if p in usable]
    missing = [PlanetFailure(p, "no complete label in train.csv") for p in planet_ids if p not in usable]
    if missing:
        run.failures("labels", missing)
    if not chosen:
        raise DataError(
            "no train planet has both light curves and a label",
            where=str(run.data_dir),
            fix="check train/ and train.csv",
        )
    run.record(naive=metric.to_dict())
    return Labels(np.array(chosen), table.loc[chosen].to_numpy(dtype=np.float64), metric)
