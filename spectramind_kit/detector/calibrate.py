"""Undo the detector, one effect per function, and the recipe that orders them.

Every function takes arrays whose last axes are those of its maps: frames (time, row, column) with maps (row,
column), or frames (time, pixel) with maps (pixel). The recipe's order is the reverse of the instrument's:
ADC → linearity → dark → CDS → flat; bad pixels, cosmic rays and the foreground follow where they can be seen
best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.calibration_set import CalibrationSet, find_hot_pixels
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError

_CLEAR_PEDESTAL_E = 100.0
_TERM_WORTH_E, _LONG_ROW = 0.02, 500


def convert_adu_to_electrons(
    adu: np.ndarray, *, gain: float, offset: float, direction: str = "divide", dtype: type = np.float64
) -> np.ndarray:
    """e⁻ = ADU / gain + offset (``divide``) or ADU · gain + offset (``multiply``), in floating point."""
    factor = gain if direction == "multiply" else 1.0 / gain
    electrons = np.multiply(adu, dtype(factor), dtype=dtype, casting="unsafe")
    electrons += dtype(offset)
    return electrons


def choose_adc_direction(adu: np.ndarray, *, gain: float, offset: float) -> str:
    """The direction that puts reads without light nearest to zero electrons.

    ``adu``: counts just after a reset, of dim pixels. Right after the reset a pixel holds almost nothing, so
    the wrong direction shows as a pedestal of hundreds of electrons. Without a clear difference (no offset):
    ``divide``.
    """
    level = float(np.median(adu))
    return (
        "multiply"
        if abs(level * gain + offset) + _CLEAR_PEDESTAL_E < abs(level / gain + offset)
        else "divide"
    )


def correct_linearity(
    electrons: np.ndarray, coefficients: np.ndarray, *, out: np.ndarray | None = None
) -> np.ndarray:
    """Polynomial per pixel by Horner's rule: Σ_k c_k·e^k. ``coefficients`` (K, …pixels), increasing order."""
    result = np.multiply(electrons, coefficients[-1], out=out)
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
        raise DataError(
            "too few frames for a pair",
            expected="2 or more",
            found=str(len(electrons)),
            fix="read at least one pair of frames",
        )
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


def calibrate_frames(
    adu: np.ndarray,
    calibration: CalibrationSet,
    *,
    gain: float,
    offset: float,
    integration_time_s: np.ndarray,
    direction: str = "divide",
) -> np.ndarray:
    """The reference recipe in float64 on whole frames: (2N, rows, columns) counts → (N, rows, columns) e⁻ per
    exposure.

    ``integration_time_s`` (2N,): time since reset of each frame. Unusable pixels come out as NaN. Slow and
    plain on purpose: `calibrate_block` is held to it by a test.
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


@dataclass(frozen=True)
class PixelCalibration:
    """All that calibrating blocks needs, per selected pixel, in float32: the calibration set bent to one
    array axis."""

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
        return replace(
            self,
            coefficients=None if self.coefficients is None else self.coefficients[:, which],
            **{
                name: getattr(self, name)[which]
                for name in ("dark_charge", "inverse_flat", "read_noise", "bad")
            },
        )


def prepare_pixels(
    calibration: CalibrationSet,
    pixels: PixelSelection,
    *,
    gain: float,
    offset: float,
    direction: str,
    dark_time_s: float,
    settings: DetectorSettings,
) -> PixelCalibration:
    """Calibration maps of the selected pixels. ``dark_time_s``: seconds of dark current between the reads."""
    flat = pixels.take(calibration.flat) if settings.flat else np.ones(len(pixels))
    hot = pixels.take(find_hot_pixels(calibration.dark, clip_sigma=settings.hot_clip_sigma))
    bad = pixels.take(calibration.unusable) if settings.fill_dead else np.zeros(len(pixels), bool)
    if settings.mask_hot:
        bad = bad | hot
    factor = gain if direction == "multiply" else 1.0 / gain
    return PixelCalibration(
        factor=np.float32(factor),
        offset=np.float32(offset),
        direction=direction,
        coefficients=pixels.take(calibration.linear_corr).astype(np.float32) if settings.linearity else None,
        dark_charge=(pixels.take(calibration.dark) * dark_time_s).astype(np.float32),
        inverse_flat=(1.0 / flat).astype(np.float32),
        read_noise=(np.sqrt(2.0) * pixels.take(calibration.read) / flat).astype(np.float32),
        bad=bad,
        n_hot=int(hot.sum()),
    )


@dataclass(frozen=True)
class ReadExpansion:
    """Electrons of one of the reads about its usual counts, less a constant: Σ terms_j·(ADU − centre)^j, j =
    1 …, float32 (P,) each; centre None: zero.

    Only the pixels of ``curved`` need more than the first term.
    """

    centre: np.ndarray | None
    terms: tuple[np.ndarray, ...]
    curved: slice

    @classmethod
    def of(cls, centre: np.ndarray, k: tuple[np.ndarray, ...], reach: np.ndarray) -> ReadExpansion:
        """``k`` = (k0, k1 …) about ``centre``; ``reach`` (P,): how far from it the counts go, zero for pixels
        that do not matter."""
        worth = np.stack([np.abs(term) * reach**j for j, term in enumerate(k)][2:]) > _TERM_WORTH_E
        curved = np.flatnonzero(worth.any(axis=0))
        n_terms = 1 + int((np.flatnonzero(worth.any(axis=1)) + 1).max(initial=0))
        low, high = (int(curved[0]), int(curved[-1]) + 1) if len(curved) else (0, 0)
        # loops over short stretches of each row cost more than they save
        if high - low < _LONG_ROW and high > low:
            low, high = 0, len(centre)
        return cls(centre, k[1 : 1 + n_terms], slice(low, high))

    def part(self, which: slice) -> ReadExpansion:
        """The same for the pixels ``which`` (start and stop given)."""
        low = max(self.curved.start, which.start) - which.start
        high = min(self.curved.stop, which.stop) - which.start
        return ReadExpansion(
            centre=None if self.centre is None else self.centre[which],
            terms=tuple(k[which] for k in self.terms),
            curved=slice(low, high) if high > low else slice(0, 0),
        )

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Counts less their centre, (n, P) → electrons; ``x`` is overwritten where that is enough."""
        k, curved = self.terms, self.curved
        if curved.stop <= curved.start:
            x *= k[0]
            return x
        if curved.stop - curved.start == x.shape[1]:
            result = x * k[-1]
            for term in k[-2::-1]:
                result += term
                result *= x
            return result
        result = np.empty_like(x)
        for straight in (slice(0, curved.start), slice(curved.stop, x.shape[1])):
            np.multiply(x[:, straight], k[0][straight], out=result[:, straight])
        near, value = x[:, curved], result[:, curved]
        np.multiply(near, k[-1][curved], out=value)
        for term in k[-2::-1]:
            value += term[curved]
            value *= near
        return result


@dataclass(frozen=True)
class Expansion:
    """Each pixel's calibration about its usual counts: what `calibrate_block` applies. ``constant`` (P,)
    e⁻."""

    first: ReadExpansion
    last: ReadExpansion
    constant: np.ndarray

    def part(self, which: slice) -> Expansion:
        """The same for some of the pixels."""
        return Expansion(self.first.part(which), self.last.part(which), self.constant[which])


def expand_calibration(adu: np.ndarray, pixels: PixelCalibration) -> Expansion:
    """From raw frames (2n, P) spread over the visit (some hundred exposures tell the range of the counts).

    A pixel's first reads lie close together, and so do its last: there the linearity polynomial of degree 5
    is its own cubic expansion about their mean, and less where less will do: a term that is worth 0.02 e⁻ at
    five standard deviations stays. ADC, dark and flat are folded into the coefficients. What is left out is
    below 1 e⁻ in single samples of the worst pixels of real FGS1 frames, which jitter moves by 5,000 e⁻, and
    0.002 e⁻ on average.
    """
    counts = adu.astype(np.float32)
    reads, terms = [], []
    for own in (counts[0::2], counts[1::2]):
        centre = own.mean(axis=0)
        own -= centre
        reach = np.where(pixels.bad, 0.0, 5.0 * np.sqrt(np.einsum("tp,tp->p", own, own) / len(own)))
        terms.append(_expand(centre, pixels))
        reads.append(ReadExpansion.of(centre, terms[-1], reach))
    constant = terms[1][0] - terms[0][0] - pixels.dark_charge * pixels.inverse_flat
    if reads[0].curved.stop == 0:  # a straight line needs no centre: one pass less
        constant += reads[0].terms[0] * reads[0].centre
        reads[0] = replace(reads[0], centre=None)
    return Expansion(*reads, constant=constant)


def calibrate_block(adu: np.ndarray, expansion: Expansion) -> np.ndarray:
    """One block of raw frames (2n, P) → CDS exposures (n, P) float32, e⁻ per exposure. The block should fit
    in the cache."""
    # contiguous: passes over strided rows take longer
    first, last = adu[0::2].astype(np.float32), adu[1::2].astype(np.float32)
    if expansion.first.centre is not None:
        first -= expansion.first.centre
    last -= expansion.last.centre
    result = expansion.last.apply(last)
    result -= expansion.first.apply(first)
    result += expansion.constant
    return result


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
    return tuple((t * gain**j * pixels.inverse_flat).astype(np.float32) for j, t in enumerate(terms))
