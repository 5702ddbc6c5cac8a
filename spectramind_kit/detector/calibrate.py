"""Undo the detector, one effect per function, and the recipe that orders them.

Every function takes arrays whose last axes are those of its maps: frames (time, row, column) with maps (row,
column), or frames (time, pixel) with maps (pixel). The recipe's order is the reverse of the instrument's:
ADC → linearity → dark → CDS → flat; bad pixels, cosmic rays and the foreground follow where they show best.
"""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.calibration_set import CalibrationSet
from spectramind_kit.detector.row_neighbours import RowNeighbours
from spectramind_kit.errors import DataError

_CLEAR_PEDESTAL_E = 100.0  # real files, read in the wrong direction, show one of 800 e⁻


def convert_adu_to_electrons(
    adu: np.ndarray, *, gain: float, offset: float, direction: str = "divide"
) -> np.ndarray:
    """e⁻ = ADU / gain + offset (``divide``) or ADU · gain + offset (``multiply``), in floating point."""
    factor = gain if direction == "multiply" else 1.0 / gain
    return np.multiply(adu, factor, dtype=np.float64) + offset


def choose_adc_direction(adu: np.ndarray, *, gain: float, offset: float) -> str:
    """The direction that puts reads without light nearest to zero electrons.

    ``adu``: counts just after a reset, of dim pixels. Right after the reset a pixel holds almost nothing, so
    the wrong direction shows as a pedestal of hundreds of electrons. Without a clear difference (no offset):
    ``divide``.
    """
    level = float(np.median(adu))
    multiplied, divided = abs(level * gain + offset), abs(level / gain + offset)
    return "multiply" if multiplied + _CLEAR_PEDESTAL_E < divided else "divide"


def correct_linearity(electrons: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Polynomial per pixel by Horner's rule: Σ_k c_k·e^k. ``coefficients`` (K, …pixels), increasing order."""
    result = electrons * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        result += c
        result *= electrons
    result += coefficients[0]
    return result


def subtract_dark(
    electrons: np.ndarray, dark_rate: np.ndarray, *, integration_time_s: np.ndarray | float
) -> np.ndarray:
    """e⁻ − dark·dt. ``integration_time_s``: one number, or one per frame."""
    time = np.asarray(integration_time_s, dtype=electrons.dtype)
    return electrons - time.reshape(time.shape + (1,) * dark_rate.ndim) * dark_rate


def subtract_correlated_reads(electrons: np.ndarray) -> np.ndarray:
    """Correlated double sampling: odd (end of the ramp) minus even frames (after reset); (2N, …) → (N, …)."""
    if len(electrons) < 2:
        found, fix = str(len(electrons)), "read at least one pair of frames"
        raise DataError("too few frames for a pair", expected="2 or more", found=found, fix=fix)
    even = len(electrons) // 2 * 2
    return electrons[1:even:2] - electrons[0:even:2]


def divide_flat(electrons: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Response of each pixel set to one."""
    return electrons / flat


def interpolate_bad_pixels(frames: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Replace bad pixels by linear interpolation along each row (the dispersion); frames (…, row, column)."""
    at, filled = RowNeighbours.of(bad), frames.copy()
    values = (1 - at.weight) * frames[..., at.row, at.left] + at.weight * frames[..., at.row, at.right]
    filled[..., at.row, at.column] = np.where(at.hopeless, 0.0, values)
    return filled


def calibrate_frames(
    adu: np.ndarray,
    calibration: CalibrationSet,
    *,
    gain: float,
    offset: float,
    integration_time_s: np.ndarray,
    direction: str = "divide",
) -> np.ndarray:
    """The reference recipe in float64: whole frames (2N, rows, columns) → e⁻ per exposure (N, rows, columns).

    ``integration_time_s`` (2N,): time since reset of each frame. Unusable pixels come out as NaN. Slow and
    plain on purpose: `expansion.calibrate_block` is held to it by a test.
    """
    shape = calibration.instrument.shape
    if adu.ndim == 2 and adu.shape[1] == calibration.instrument.n_pixels:
        adu = adu.reshape(-1, *shape)
    if adu.shape[1:] != shape:
        raise DataError(
            "frames of the wrong shape",
            where=calibration.instrument.name,
            expected=f"(frames, {shape})",
            found=str(adu.shape),
            fix="pass raw frames of this sensor",
        )
    electrons = convert_adu_to_electrons(adu, gain=gain, offset=offset, direction=direction)
    electrons = correct_linearity(electrons, calibration.linear_corr)
    electrons = subtract_dark(electrons, calibration.dark, integration_time_s=integration_time_s)
    exposures = divide_flat(subtract_correlated_reads(electrons), calibration.flat)
    exposures[:, calibration.unusable] = np.nan
    return exposures
