"""Whether a sensor's light is the star's: pixels that shine by themselves, saturation, no star at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.lone_pixels import find_lone_corners, find_lone_pixels
from spectramind_kit.detector.raw_visit import RawVisit, Sample
from spectramind_kit.errors import DataError

_LOST_SENSOR = 0.8  # share of the light in saturated pixels (docs/decisions.md D41)
_STAR_OVER_NOISE = 3.0  # of one exposure; real stars: thousands (AIRS-CH0), a hundred and more (FGS1)


def without_lone_pixels(raw: RawVisit, mean: np.ndarray) -> RawVisit:
    """With those pixels among the bad ones that shine by themselves; mean (P,) over the visit."""
    n_grid, bad, sensor = raw.selection.n_grid, raw.pixels.bad, raw.selection.instrument.name
    by_column = sensor != FGS1.name
    lone = np.zeros(len(mean), bool)
    lone[:n_grid] = find_lone_pixels(mean[:n_grid], raw.selection.grid, bad=bad[:n_grid], by_column=by_column)
    if sensor == FGS1.name:
        lone[n_grid:] = find_lone_corners(mean[n_grid:], bad=bad[n_grid:])
    if not lone.any():
        return raw
    pixels = replace(raw.pixels, bad=bad | lone)
    return replace(raw, pixels=pixels, flags=(*raw.flags, flags.lone_pixels(sensor, int(lone.sum()))))


def measure_saturation(raw: RawVisit, sample: Sample) -> tuple[float, list[str]]:
    """At least this share of the light fell into saturated pixels, and the flag that says so.

    Raises DataError where hardly any light is left.
    """
    grid = slice(0, raw.selection.n_grid)
    light = np.where(raw.pixels.bad[grid], 0.0, np.maximum(sample.mean[grid], 0.0))
    share = float(light[sample.saturated[grid]].sum() / max(float(light.sum()), 1e-12))
    if share > _LOST_SENSOR:
        raise DataError(
            "the star saturates the sensor",
            where=raw.where,
            expected="light in good pixels",
            found=f"{share:.0%} of it in saturated ones",
            fix="nothing; the other sensor is used",
        )
    count = int(sample.saturated.sum())
    return share, [flags.saturated_pixels(raw.selection.instrument.name, count, share)] if count else []


def require_star(raw: RawVisit, level: float, *, noise: float) -> None:
    """Raise DataError where the mean flux ``level`` is hardly above the ``noise`` of an exposure, both e⁻."""
    if not level > _STAR_OVER_NOISE * noise:
        raise DataError(
            "there is no star in the frames",
            where=raw.where,
            expected="a flux well above its noise",
            found=f"{level:.3g} e⁻ per exposure",
            fix="look at adc_info.csv (data.adc_direction) and at this visit's files",
        )
