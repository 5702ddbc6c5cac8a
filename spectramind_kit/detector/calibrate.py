"""Undo the detector, one effect per function, and the recipe that orders them.

Every function takes arrays whose last axes are those of its maps: frames (time, row, column) with maps (row, column),
or frames (time, pixel) with maps (pixel). The recipe's order is the reverse of the instrument's:
ADC → linearity → dark → CDS → flat; bad pixels, cosmic rays and the foreground follow where they can be seen best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.calibration_set import CalibrationSet, find_hot_pixels
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError


_CLEAR_PEDESTAL_E = 100.0


def convert_adu_to_electrons(adu: np.ndarray, *, gain: float, offset: float, direction: str = "divide",
                             dtype: type = np.float64) -> np.ndarray:
    """e⁻ = ADU / gain + offset (``divide``) or ADU · gain + offset (``multiply``), in floating point."""
    factor = gain if direction == "multiply" else 1.0 / gain
    electrons = np.multiply(adu, dtype(factor), dtype=dtype, casting="unsafe")
    electrons += dtype(offset)
    return electrons


def choose_adc_direction(adu: np.ndarray, *, gain: float, offset: float) -> str:
    """The direction that puts reads without light nearest to zero electrons.

    ``adu``: counts just after a reset, of dim pixels. Right after the reset a pixel holds almost nothing, so the
    wrong direction shows as a pedestal of hundreds of electrons. Without a clear difference (no offset): ``divide``.
    """
    level = float(np.median(adu))
    return "multiply" if abs(level * gain + offset) + _CLEAR_PEDESTAL_E < abs(level / gain + offset) else "divide"


def correct_linearity(electrons: np.ndarray, coefficients: np.ndarray, *, out: np.ndarray | None = None) -> np.ndarray:
    """Polynomial per pixel by Horner's rule: Σ_k c_k·e^k. ``coefficients`` (K, …pixels), increasing order."""
    result = np.multiply(electrons, coefficients[-1], out=out)
    for c in coefficients[-2:0:-1]:
        result += c
        result *= electrons
    result += coefficients[0]
    return result


def subtract_dark(electrons: np.ndarray, dark_rate: np.ndarray, *, integration_time_s: np.ndarray | float) -> np.ndarray:
    """e⁻ − dark·dt. ``integration_time_s``: one number, or one per frame."""
    time = np.asarray(integration_time_s, dtype=electrons.dtype)
    return electrons - time.reshape(time.shape + (1,) * dark_rate.ndim) * dark_rate


def subtract_correlated_reads(electrons: np.ndarray) -> np.ndarray:
    """Correlated double sampling: odd (end of the ramp) minus even frames (after reset); (2N, …) → (N, …)."""
    if len(electrons) < 2:
        raise DataError("too few frames for a pair", expected="2 or more", found=str(len(electrons)),
                        fix="read at least one pair of frames")
    even = len(electrons) // 2 * 2
    return electrons[1:even:2] - electrons[0:even:2]


def divide_flat(electrons: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Response of each pixel set to one."""
    return electrons / flat


def interpolate_bad_pixels(frames: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Replace bad pixels by linear interpolation along each row (the dispersion); frames (…, row, column)."""
    filled = frames.copy()
    columns = np.arange(bad.shape[1])
    for row in np.flatnonzero(bad.any(axis=1)):
        good = ~bad[row]
        if not good.any():
            filled[..., row, :] = 0.0
            continue
        for column in np.flatnonzero(bad[row]):
            left, right = columns[good & (columns < column)], columns[good & (columns > column)]
            a = left[-1] if len(left) else right[0]
            b = right[0] if len(right) else left[-1]
            w = (column - a) / (b - a) if b != a else 0.0
            filled[..., row, column] = (1 - w) * frames[..., row, a] + w * frames[..., row, b]
    return filled


def calibrate_frames(adu: np.ndarray, calibration: CalibrationSet, *, gain: float, offset: float,
                     integration_time_s: np.ndarray, direction: str = "divide") -> np.ndarray:
    """The reference recipe in float64 on whole frames: (2N, rows, columns) counts → (N, rows, columns) e⁻ per exposure.

    ``integration_time_s`` (2N,): time since reset of each frame. Unusable pixels come out as NaN. Slow and plain on
    purpose: `calibrate_blocks` is held to it by a test.
    """
    shape = calibration.instrument.shape
    if adu.ndim == 2 and adu.shape[1] == calibration.instrument.n_pixels:
        adu = adu.reshape(-1, *shape)
    if adu.shape[1:] != shape:
        raise DataError("frames of the wrong shape", where=calibration.instrument.name, expected=f"(frames, {shape})",
                        found=str(adu.shape), fix="pass raw frames of this sensor")
    electrons = convert_adu_to_electrons(adu, gain=gain, offset=offset, direction=direction)
    electrons = correct_linearity(electrons, calibration.linear_corr)
    electrons = subtract_dark(electrons, calibration.dark, integration_time_s=integration_time_s)
    exposures = divide_flat(subtract_correlated_reads(electrons), calibration.flat)
    exposures[:, calibration.unusable] = np.nan
    return exposures


@dataclass(frozen=True)
class PixelCalibration:
    """All that `calibrate_blocks` needs, per selected pixel, in float32: the calibration set bent to one array axis."""

    factor: np.float32
    offset: np.float32
    direction: str
    coefficients: np.ndarray | None
    """(6, P); None: linearity off."""
    dark_charge: np.ndarray
    """(P,) dark electrons between the two reads."""
    inverse_flat: np.ndarray
    read_noise: np.ndarray
    """(P,) σ of a CDS sample from the two reads alone, after the flat, e⁻."""
    bad: np.ndarray
    """(P,) bool: to be filled or left out."""
    n_hot: int

    def part(self, which: slice) -> PixelCalibration:
        """The same for some of the pixels."""
        return replace(self, coefficients=None if self.coefficients is None else self.coefficients[:, which],
                       **{name: getattr(self, name)[which] for name in ("dark_charge", "inverse_flat", "read_noise", "bad")})


def prepare_pixels(calibration: CalibrationSet, pixels: PixelSelection, *, gain: float, offset: float, direction: str,
                   dark_time_s: float, settings: DetectorSettings) -> PixelCalibration:
    """Calibration maps of the selected pixels. ``dark_time_s``: seconds of dark current between the reads."""
    flat = pixels.take(calibration.flat) if settings.flat else np.ones(len(pixels))
    hot = pixels.take(find_hot_pixels(calibration.dark, clip_sigma=settings.hot_clip_sigma))
    bad = pixels.take(calibration.unusable) if settings.fill_dead else np.zeros(len(pixels), bool)
    if settings.mask_hot:
        bad = bad | hot
    factor = gain if direction == "multiply" else 1.0 / gain
    return PixelCalibration(
        factor=np.float32(factor), offset=np.float32(offset), direction=direction,
        coefficients=pixels.take(calibration.linear_corr).astype(np.float32) if settings.linearity else None,
        dark_charge=(pixels.take(calibration.dark) * dark_time_s).astype(np.float32),
        inverse_flat=(1.0 / flat).astype(np.float32),
        read_noise=(np.sqrt(2.0) * pixels.take(calibration.read) / flat).astype(np.float32), bad=bad, n_hot=int(hot.sum()))


def calibrate_block(adu: np.ndarray, pixels: PixelCalibration) -> np.ndarray:
    """One block of raw frames (2n, P) → CDS exposures (n, P) float32, e⁻ per exposure.

    Within a block a pixel's first reads lie close together, and so do its last: there the linearity polynomial of degree 5 is
    its own cubic expansion about their mean. ADC, dark and flat are folded into the four coefficients, which leaves nine
    passes over the block instead of fifteen. What is left out is f⁗/24·(x − mean)⁴: below 1 e⁻ in single samples of the worst pixels of
    real FGS1 frames, which jitter moves by 5,000 e⁻, 0.002 e⁻ on average (a quadratic: 6 e⁻). The block should fit in
    the cache.
    """
    counts = adu.astype(np.float32)
    first, last = counts[0::2], counts[1::2]
    before, after = _typical(first), _typical(last)
    a, b = _expand(before, pixels), _expand(after, pixels)
    first -= before
    last -= after
    result = _horner(last, b)
    result -= _horner(first, a)
    result += b[0] - a[0] - pixels.dark_charge * pixels.inverse_flat
    return result


def _horner(x: np.ndarray, k: tuple[np.ndarray, ...]) -> np.ndarray:
    """k1·x + k2·x² + k3·x³"""
    result = x * k[3]
    result += k[2]
    result *= x
    result += k[1]
    result *= x
    return result


def _typical(reads: np.ndarray) -> np.ndarray:
    """Roughly the mean of each pixel's reads, (P,), from eight of them."""
    return reads[::max(1, len(reads) // 8)].mean(axis=0, dtype=np.float32)


def _expand(centre: np.ndarray, pixels: PixelCalibration) -> tuple[np.ndarray, ...]:
    """(k0 … k3), each (P,): electrons over flat = Σ k_j·(ADU − centre)^j, up to the third order."""
    gain = pixels.factor
    x = centre * gain + pixels.offset
    if pixels.coefficients is None:
        terms = [x, np.ones_like(x), np.zeros_like(x), np.zeros_like(x)]
    else:
        # Horner's rule for a polynomial and its derivatives over their factorials together
        terms = [pixels.coefficients[-1].copy()] + [np.zeros_like(x) for _ in range(3)]
        for c in pixels.coefficients[-2::-1]:
            for j in (3, 2, 1):
                terms[j] = terms[j] * x + terms[j - 1]
            terms[0] = terms[0] * x + c
    return tuple((t * gain ** j * pixels.inverse_flat).astype(np.float32) for j, t in enumerate(terms))
