"""What the network says of a planet some of whose groups of inputs come from other planets."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.bands import Band, wavelength_bands
from spectramind_kit.diagnostics.input_groups import (
    InputGroup,
    input_groups,
    joined,
    mixed_rows,
    row_count,
    take_rows,
)
from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

_ROWS_OF_A_PASS = 16  # a small network costs a third less per row in passes of this size than in small ones


@dataclass(frozen=True)
class Game:
    """A network, the planets to explain and those that stand for "unknown"."""

    predict: Callable[[Mapping[str, Tensor]], Any]  # batch → depth_mean, depth_sigma (B, 283)
    batch: Mapping[str, Tensor]  # the planets to explain
    pool: Mapping[str, Tensor]  # the planets that donate

    @cached_property
    def _wavelength_um(self) -> np.ndarray:
        """(283,)"""
        wavelength = np.asarray(self.batch["wavelength_um"], dtype=np.float64)
        return wavelength if wavelength.ndim == 1 else wavelength[0]

    @cached_property
    def groups(self) -> tuple[InputGroup, ...]:
        return input_groups(self._wavelength_um)

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        return wavelength_bands(self._wavelength_um)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(f"{kind} {band.name}" for kind in ("δ", "log σ") for band in self.bands)

    def donors_of(self, row: int) -> np.ndarray:
        """Rows of the pool that may stand in for a planet: not itself."""
        rows = np.arange(row_count(self.pool))
        return rows[rows != row] if self.pool is self.batch else rows

    def outputs(self, some: Mapping[str, Tensor]) -> np.ndarray:
        """δ and log σ of each band, (B, O). Every row stands alone: mixtures are no visits of a planet."""
        import torch

        with torch.no_grad():
            found = self.predict({**some, "visit_of": torch.arange(row_count(some))})
        parts = (found.depth_mean, found.depth_sigma, some["reference_depth"], some["reference_err"])
        mean, sigma, anchor, err = (part.detach().double().cpu().numpy() for part in parts)
        wanted = ((mean - anchor) / err, np.log(sigma / err))
        values = np.stack([part[:, band.bins].mean(axis=1) for part in wanted for band in self.bands], axis=1)
        if not np.isfinite(values).all():
            raise DataError("the network's output is not finite", where="attributions")
        return values

    def coalitions(self, row: int, rows: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Coalitions (Z, G) of 0 and 1 → outputs (Z, O) of a planet, mean over its donors ``rows``."""
        own, donors = take_rows(self.batch, np.repeat(row, rows.size)), take_rows(self.pool, rows)
        size = max(1, _ROWS_OF_A_PASS // rows.size)

        def mixed(coalition: np.ndarray) -> dict[str, Tensor]:
            outside = [group for group, stays in zip(self.groups, coalition > 0.5) if not stays]
            return mixed_rows(own, donors, outside)

        def evaluate(z: np.ndarray) -> np.ndarray:
            found = []
            for some in np.split(z, np.arange(size, len(z), size)):
                values = self.outputs(joined([mixed(coalition) for coalition in some]))
                found.append(values.reshape(len(some), rows.size, -1).mean(axis=1))
            return np.concatenate(found)

        return evaluate

    def cost_of_a_pass(self) -> float:
        """CPU seconds of one row of one coalition, mixing included; the first pass warms up."""
        rows = np.arange(4) % row_count(self.pool)
        half = np.tile(np.arange(len(self.groups)) % 2 == 0, (_ROWS_OF_A_PASS // 4, 1)).astype(float)
        evaluate = self.coalitions(0, rows)
        evaluate(half)
        start = time.process_time()
        evaluate(half)
        return max((time.process_time() - start) / _ROWS_OF_A_PASS, 1e-6)


def coalitions_of_a_round(n_groups: int) -> int:
    """Enough coalitions that shap takes every group alone in and alone out instead of drawing some of them.

    With these all effects of single groups and of pairs are exact. shap shares its coalitions out by the
    weight of their size s, (M − 1) / (s (M − s)), sizes s and M − s together.
    """
    sizes = np.arange(1, n_groups // 2 + 1)
    weight = (n_groups - 1) / (sizes * (n_groups - sizes)) * np.where(2 * sizes == n_groups, 1.0, 2.0)
    return int(np.ceil(2 * n_groups * weight.sum() / weight[0])) + 1


def plan(passes: float, *, planets: int, background: int) -> tuple[int, int, int]:
    """Background planets, planets and rounds of coalitions for ``passes`` rows of a round; 1 of each or more.

    Eight planets come first, each against one of the background, then three of the background, then more
    planets, then more of the background, then more coalitions.
    """
    n_planets = int(np.clip(max(passes / min(3, background), min(passes, 8)), 1, planets))
    n_back = int(np.clip(passes / n_planets, 1, background))
    return n_back, n_planets, int(np.clip(passes / (n_back * n_planets), 1, 4))
