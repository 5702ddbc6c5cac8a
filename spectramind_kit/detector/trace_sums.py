"""Sums over AIRS-CH0's trace of every single exposure: what the jitter model looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.dispersion_fill import DispersionFill, too_wide_to_fill
from spectramind_kit.detector.optimal_weights import optimal_weights
from spectramind_kit.detector.raw_visit import RawVisit, Sample


@dataclass(frozen=True)
class TraceSums:
    """What sums R of the rectangle's rows, bad pixels filled, over exposures that are in the cache."""

    shape: tuple[int, int]  # rows and columns C of the rectangle
    rows: slice  # of the rectangle, that are summed
    fill: DispersionFill | None
    kept: np.ndarray | None  # (K,) 0 for the filled pixels that are left out of the sum, else 1; None: all 1
    row_weights: np.ndarray | None  # (R, C) of the optimal extraction; None: the plain sum
    weights: np.ndarray  # (G, 3) of the moments along the rows: sum, first, second

    @classmethod
    def plan(cls, raw: RawVisit, sample: Sample) -> TraceSums:
        """For the settings' rows; bad and saturated pixels count alike."""
        settings, shape, n = raw.settings, raw.selection.grid, raw.selection.n_grid
        first, stop = settings.airs_rows
        row = raw.selection.row[:n].astype(np.float64)
        saturated = sample.saturated[:n]
        dead = raw.pixels.bad[:n] | saturated
        lit = (row >= first) & (row < stop)
        in_grid = lit.reshape(shape)[:, 0]
        rows = slice(int(in_grid.argmax()), int(in_grid.argmax() + in_grid.sum()))
        bad, image = (values.reshape(shape)[rows] for values in (dead, sample.mean[:n]))
        dropped = too_wide_to_fill(saturated.reshape(shape)[rows])
        fill = DispersionFill.plan(image, bad) if bad.any() else None
        row_weights = None
        # the response to pointing depends on the weights, so these sums take those of the trace
        if settings.airs_extraction == "optimal":
            if fill is not None:
                image = image.copy()
                image[bad] = fill.values(image[None].astype(np.float32))[0]
            noise = raw.pixels.read_noise[:n].reshape(shape)[rows].astype(np.float64)
            row_weights = optimal_weights(image, np.maximum(image, 0.0) + noise**2).astype(np.float32)
        used = (lit & ~dead).astype(np.float64)
        offset = row - 0.5 * (first + stop - 1)
        return cls(
            shape=shape,
            rows=rows,
            fill=fill,
            kept=(~dropped[bad]).astype(np.float32) if dropped.any() else None,
            row_weights=row_weights,
            weights=np.stack([used, used * offset, used * offset**2], axis=1).astype(np.float32),
        )

    @property
    def per_pixel(self) -> np.ndarray:
        """(C, 3): what one e⁻ in every pixel of a column adds to the moments."""
        return self.weights.reshape(*self.shape, 3).sum(axis=0, dtype=np.float64)

    def moments(self, exposures: np.ndarray) -> np.ndarray:
        """(n, 3) of exposures (n, G)."""
        return exposures @ self.weights

    def columns(self, exposures: np.ndarray) -> np.ndarray:
        """(n, C) sums of exposures (n, G)."""
        images = exposures.reshape(-1, *self.shape)[:, self.rows]
        if self.row_weights is None:
            sums = images.sum(axis=1)
        else:
            sums = np.einsum("trc,rc->tc", images, self.row_weights)
        if self.fill is not None:
            row, column = self.fill.at.row, self.fill.at.column
            difference = self.fill.values(images)
            if self.kept is not None:
                difference *= self.kept
            difference -= images[:, row, column]
            if self.row_weights is not None:
                difference *= self.row_weights[row, column]
            np.add.at(sums, (slice(None), column), difference)
        return sums
