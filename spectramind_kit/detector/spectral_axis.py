"""Which detector columns carry the spectrum, and in which direction: read from two tables (D77)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.instrument import AIRS, Instrument
from spectramind_kit.errors import DataError

_BRIGHTER = 1.5  # noise and a bright foreground do not reach it, a star seen the wrong way does by far
_TOLERANCE = 0.3  # of the distance between two columns: a rounded table still fits, a shift by one does not


@dataclass(frozen=True)
class SpectralAxis:
    """Where the spectrum lies on AIRS-CH0."""

    airs: Instrument  # with the cut of the columns that wavelengths.csv names
    reverse: bool  # they run the other way than that table
    unusual: str = ""  # what differs from the competition's files

    def orient(self, columns: np.ndarray) -> np.ndarray:
        """(…, C) in detector order of the cut → in the order of wavelengths.csv."""
        return columns[..., ::-1] if self.reverse else columns


def spectral_axis(column_um: np.ndarray, wavelength_um: np.ndarray) -> SpectralAxis:
    """Match the wavelength of every detector column (356,) with the spectrum's bins (283,), FGS1 first.

    Raises
    ------
    DataError
        The bins are no run of neighbouring columns, in either direction.
    """
    columns, bins = np.asarray(column_um, dtype=np.float64), np.asarray(wavelength_um, dtype=np.float64)[1:]
    usual = AIRS.cut.start
    starts = [usual, *(k for k in range(len(columns) - len(bins) + 1) if k != usual)]
    tolerance = _TOLERANCE * float(np.median(np.abs(np.diff(columns))))
    for start in starts:
        part = columns[start : start + len(bins)]
        for reverse in (True, False):
            if len(part) == len(bins) and np.abs((part[::-1] if reverse else part) - bins).max() <= tolerance:
                return _found(columns, bins, start, reverse)
    own = columns[AIRS.cut]
    raise DataError(
        "wavelengths.csv and axis_info.parquet do not fit",
        where="wl_2 … wl_283 and AIRS-CH0-axis2-um",
        expected="the wavelengths of 282 neighbouring detector columns, in either direction",
        found=f"wavelengths {bins[0]:.4f} … {bins[-1]:.4f} µm; "
        f"columns {usual} … {AIRS.cut.stop - 1} at {own[0]:.4f} … {own[-1]:.4f} µm",
        fix="use the competition's two files",
    )


def bin_order(wavelength_um: np.ndarray, known_um: np.ndarray) -> np.ndarray | None:
    """(W,) for which ``known_um[order]`` is ``wavelength_um``; None where these are not the same bins."""
    wanted, known = np.asarray(wavelength_um, dtype=np.float64), np.asarray(known_um, dtype=np.float64)
    if wanted.shape != known.shape:
        return None
    order = np.abs(wanted[:, None] - known[None, :]).argmin(axis=1)
    tolerance = _TOLERANCE * float(np.median(np.abs(np.diff(known[1:]))))
    same = len(set(order.tolist())) == len(order) and np.abs(known[order] - wanted).max() <= tolerance
    return order if same else None


def against_the_light(flux: np.ndarray, wavelength_um: np.ndarray) -> bool:
    """Whether the star is brighter at the long end (3.9 µm) than at the short one (2 µm).

    No star that AIRS-CH0 sees is: its light falls by a factor of ten or more. Then axis_info.parquet runs the
    other way than the frames. ``flux`` (T, C) and ``wavelength_um`` (C,) in the same order; NaN is left out.
    """
    flux = np.asarray(flux, dtype=np.float64)
    good = np.isfinite(flux)
    level = np.where(good, flux, 0.0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    level = level[np.argsort(wavelength_um)]
    third = len(level) // 3
    short, long = float(level[:third].sum()), float(level[-third:].sum())
    return bool(short > 0.0 and long > _BRIGHTER * short)


def _found(columns: np.ndarray, bins: np.ndarray, start: int, reverse: bool) -> SpectralAxis:
    stop = start + len(bins)
    airs = AIRS if start == AIRS.cut.start else replace(AIRS, column_cut=slice(start, stop))
    odd = []
    if columns[stop - 1] > columns[start]:
        odd.append("AIRS-CH0's columns run from short to long wavelengths")
    if bins[-1] < bins[0]:
        odd.append("wavelengths.csv runs from long to short wavelengths")
    if airs is not AIRS:
        usual = f"{AIRS.cut.start} … {AIRS.cut.stop - 1}"
        odd.append(f"the spectrum lies on columns {start} … {stop - 1} instead of {usual}")
    text = f"spectral axis: {'; '.join(odd)}. Light curves follow wavelengths.csv" if odd else ""
    return SpectralAxis(airs, reverse, text)
