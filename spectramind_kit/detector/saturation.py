"""Pixels that reached their ceiling: a full well, the end of the converter, or of the linearity polynomial.

A full well stops noise: above it the counts pile up in a band as wide as the read noise, which is far
narrower than the photon noise of so much light. No ceiling is assumed: each pixel shows its own
(docs/decisions.md D41).
"""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.pixel_calibration import PixelCalibration
from spectramind_kit.robust import mad_sigma

_CONVERTER_ENDS = tuple(2**bits - 1 for bits in range(10, 17))
_SEVERAL = 3  # pixels that end at the same count: a converter's end, whichever number it is
_SOME = 8  # one of so many first reads tells their level
_DIM = 128  # pixels with the fewest counts, which show the read noise
_LIT = 50.0  # read noises above the first reads: less is no star
_CLIPPED_SHARE = 0.01  # of the reads, at the end of the converter or in the pile
_PILE_SIGMAS = 6.0  # read noise: width of the pile, of which the highest read is the upper end
_PHOTON_OVER_PILE = 1.3  # photon noise must be this wide beside the pile, or a quiet pixel looks like one
_CHANCE = 1e-7  # of a pile in a pixel that has none; a visit has ten thousand pixels
_FEWEST = 8  # reads in a pile
_SLOPES = (0.3, 3.0)  # of a linearity polynomial that still undoes something
_HIGH = 0.25  # of the highest charge: pixels below it use the straight part of their polynomial
_LOOKS = (0.4, 0.6, 0.8, 1.0)  # of a pixel's highest charge, where the slope is looked at


def find_saturated(adu: np.ndarray, pixels: PixelCalibration) -> np.ndarray:
    """(P,) bool, from raw frames (2n, P) spread over the visit, impossible exposures left out.

    A pile is more reads in the highest of three bands than a third: the density of any light, whatever jitter
    and transit do to it, falls towards its highest values once photon noise has smoothed it.
    So a pixel that saturates out of transit or at some pointings only is found as soon as that happens in
    some per cent of the reads.
    """
    last = adu[1::2]
    n = len(last)
    top = last.max(axis=0)
    quiet = _noise_of_a_read(adu[0::2], top, pixels)  # ADU
    least = np.median(adu[0::2][::_SOME]) + _LIT * np.median(quiet)
    clipped = _at_the_end(last, top, pixels.bad, least=least)
    width = _PILE_SIGMAS * quiet + 2.0
    charge = top * pixels.factor + pixels.offset
    # 1/√n of frames that were averaged
    coadded = np.clip(quiet / np.maximum(_read_noise_adu(pixels), 1e-6), 0.0, 1.0)
    photon = np.sqrt(np.maximum(charge, 0.0)) / pixels.factor * coadded
    lit = np.flatnonzero(~pixels.bad & ~clipped & (photon > _PHOTON_OVER_PILE * width))
    piled = np.zeros(adu.shape[1], bool)
    if len(lit) and n >= 2 * _FEWEST:
        below_top = top[lit].astype(np.float32) - last[:, lit]
        band = width[lit].astype(np.float32)
        at_top = np.count_nonzero(below_top <= band, axis=0)
        below = np.count_nonzero(below_top <= 3.0 * band, axis=0) - at_top
        piled[lit] = _no_chance(at_top, below) & (at_top >= max(_FEWEST, _CLIPPED_SHARE * n))
        if piled.any():  # pixels whose read noise hides their own pile, at the ceiling that the others show
            ceiling, known = np.median(top[piled]), pixels.bad | clipped | piled
            which = np.flatnonzero(~known & (photon <= _PHOTON_OVER_PILE * width) & (top >= ceiling))
            piled[which] = np.median(last[:, which], axis=0) >= ceiling - width[which]
    return clipped | piled | _beyond_linearity(charge, pixels)


def _at_the_end(last: np.ndarray, top: np.ndarray, bad: np.ndarray, *, least: float) -> np.ndarray:
    """(P,) bool: often at the end of the converter, the highest count of all, and above ``least``."""
    end = top[~bad].max(initial=0)
    reach = np.flatnonzero(top >= end)
    if end < least or (end not in _CONVERTER_ENDS and (~bad[reach]).sum() < _SEVERAL):
        return np.zeros(len(top), bool)
    clipped = np.zeros(len(top), bool)
    clipped[reach] = (last[:, reach] >= end).mean(axis=0) > _CLIPPED_SHARE
    return clipped


def _no_chance(at_top: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Bool: so many reads in the highest of three bands, where each read had a third of a chance, do not
    happen (Chernoff's bound of the binomial distribution)."""
    total = np.maximum(at_top + below, 1)
    share = at_top / total
    rest = np.maximum(1.0 - share, 1e-12)
    surprise = total * (share * np.log(np.maximum(3.0 * share, 1e-12)) + rest * np.log(1.5 * rest))
    return (share > 1.0 / 3.0) & (surprise > -np.log(_CHANCE))


def _read_noise_adu(pixels: PixelCalibration) -> np.ndarray:
    """(P,) σ of one read that the calibration file gives."""
    return pixels.read_noise / (np.sqrt(2.0) * pixels.inverse_flat * pixels.factor)


def _noise_of_a_read(first: np.ndarray, top: np.ndarray, pixels: PixelCalibration) -> np.ndarray:
    """(P,) ADU: the calibration's read noise, scaled to what dim pixels show: frames may be means of many."""
    expected = _read_noise_adu(pixels)
    usable = np.flatnonzero(~pixels.bad & (expected > 0))
    if not len(usable) or len(first) < 3:
        return expected
    dim = usable[np.argsort(top[usable])[:_DIM]]
    difference = np.diff(first[:, dim].astype(np.float32), axis=0)
    measured = mad_sigma(difference, axis=0, centre=0.0) / np.sqrt(2.0)
    return expected * np.clip(np.median(measured / expected[dim]), 0.02, 1.0)


def _beyond_linearity(charge: np.ndarray, pixels: PixelCalibration) -> np.ndarray:
    """(P,) bool: the polynomial turns round, is nearly flat or vertical, below the pixel's highest charge."""
    beyond = np.zeros(len(charge), bool)
    if pixels.coefficients is None:
        return beyond
    which = np.flatnonzero(~pixels.bad & (charge > _HIGH * charge.max()))
    coefficients = pixels.coefficients[:, which].astype(np.float64)
    for share in _LOOKS:
        x = share * charge[which]
        slope = np.zeros_like(x)
        for k in range(len(coefficients) - 1, 0, -1):
            slope = slope * x + k * coefficients[k]
        beyond[which] |= (slope < _SLOPES[0]) | (slope > _SLOPES[1])
    return beyond
