"""`LightCurve`: what stage 1 makes of one visit."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.whole_file import whole_file

DELETE = "delete it; it is computed again"  # what to do with a file of the store
_ARRAYS = ("time", "flux", "flux_err", "wavelength_um")
SHORTEST_VISIT_H, _LONGEST_VISIT_H = 0.5, 100.0  # real ones: 7.5
# An AIRS exposure and its reads: bins so short make an excerpt, 0.3 "hours" of longer ones are days
_ONE_EXPOSURE_H = 1.5e-3
# exposure over spacing: gaps between exposures are possible, overlaps hardly
_LEAST_FILLED, _MOST_FILLED = 0.02, 1.5


@dataclass(frozen=True)
class LightCurve:
    """Light curves of one visit. Axes (time, wavelength); index 0 of the wavelength axis is FGS1.

    NaN in flux and flux_err marks a missing point: a sensor without a good exposure in that bin. A column, or
    all of a sensor's, may be NaN altogether: a wavelength that saturated, a sensor that could not be read;
    ``flags`` (texts of `detector.flags`) say so.

    Raises
    ------
    DataError
        When it is made, from a file or by hand: arrays of other shapes, times that do not ascend or are not
        hours of one visit (days, a Julian date, seconds), an infinite value, a flux without its error or the
        reverse, no value at all. 0.2 ms.
    """

    planet_id: int
    visit: int
    time: np.ndarray  # (T,) float64, hours from the start of the visit, bin centres
    flux: np.ndarray  # (T, 283) float32, e⁻ per exposure, mean over the bin
    flux_err: np.ndarray  # (T, 283) float32, 1σ of that mean
    wavelength_um: np.ndarray  # (283,)
    exposure_h: float  # width of a bin
    flags: tuple[str, ...] = ()
    info: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("planet_id", "visit"):  # of pandas they are NumPy's, which JSON does not take
            object.__setattr__(self, name, int(getattr(self, name)))
        where = f"planet {self.planet_id}, visit {self.visit}"
        _check_shapes(self, where=where)
        _check_times(self.time, float(self.exposure_h), where=where)
        _check_values(self.flux, self.flux_err, where=where)

    @property
    def fgs1(self) -> np.ndarray:
        """(T,)"""
        return self.flux[:, 0]

    @property
    def airs(self) -> np.ndarray:
        """(T, 282), ascending wavelength"""
        return self.flux[:, 1:]

    @property
    def white_airs(self) -> np.ndarray:
        """(T,) sum over the AIRS wavelengths that are not missing altogether; NaN where one of these is."""
        airs = self.flux[:, 1:]
        there = np.isfinite(airs).any(axis=0)
        if not there.any():
            return np.full(len(airs), np.nan)
        return (airs if there.all() else airs[:, there]).sum(axis=1, dtype=np.float64)

    def save(self, path: str | Path, *, extra: Mapping[str, Any] | None = None) -> None:
        """Write to ``path`` (.npz) atomically: a reader sees the whole file or none."""
        head = {
            "planet_id": self.planet_id,
            "visit": self.visit,
            "exposure_h": self.exposure_h,
            "flags": self.flags,
            "info": self.info,
            "extra": dict(extra or {}),
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with whole_file(path, durable=True) as part, open(part, "wb") as file:
            np.savez(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> LightCurve:
        """Read and verify: checksums, shapes, values. Raises DataError: no such file, or it fails a check."""
        return load_with_extra(path)[0]


def load_with_extra(path: str | Path) -> tuple[LightCurve, dict[str, Any]]:
    """`LightCurve.load`, and the notes that `LightCurve.save` was given beside it."""
    path = Path(path)
    try:  # zip checks a CRC-32 of every member that is read
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            head = json.loads(archive["head"].tobytes().decode())
            arrays = {name: archive[name] for name in _ARRAYS}
    except FileNotFoundError as error:
        raise DataError(
            "no light curve of this visit",
            where=str(path),
            expected="a file of the store",
            found="no such file",
            fix="run build_light_curves",
        ) from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            "a light curve file is damaged",
            where=str(path),
            expected="a file written by LightCurve.save",
            found=in_words(error),
            fix=DELETE,
        ) from error
    try:
        curve = LightCurve(
            planet_id=int(head["planet_id"]),
            visit=int(head["visit"]),
            exposure_h=float(head["exposure_h"]),
            flags=tuple(head["flags"]),
            info=dict(head["info"]),
            **arrays,
        )
    except DataError as error:
        what = f"a light curve file cannot be used: {error.what}"
        told = {"expected": error.expected, "found": error.found, "fix": DELETE}
        raise DataError(what, where=f"{path}, {error.where}", **told) from error
    return curve, dict(head.get("extra") or {})


def _check_shapes(curve: LightCurve, *, where: str) -> None:
    arrays = {name: getattr(curve, name) for name in _ARRAYS}
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
            found = getattr(values, "dtype", type(values).__name__)
            what, expected = f"{name} of a light curve is no array of numbers", "a NumPy array"
            raise DataError(what, where=where, expected=expected, found=str(found))
    n = curve.time.size
    wanted = {"time": (n,), "flux": (n, N_BINS), "flux_err": (n, N_BINS), "wavelength_um": (N_BINS,)}
    found = {name: values.shape for name, values in arrays.items()}
    if found != wanted or n < 2:
        raise DataError(
            "the arrays of a light curve do not fit together",
            where=where,
            expected=f"time (T,), flux and flux_err (T, {N_BINS}), wavelength_um ({N_BINS},), T of 2 or more",
            found=", ".join(f"{name} {shape}" for name, shape in found.items()),
        )


def _check_times(time: np.ndarray, exposure_h: float, *, where: str) -> None:
    """Times in days or seconds fit to something, but not to the planet; 27,000 hours take all memory."""
    step = np.diff(time)
    if not np.isfinite(time).all() or not (step > 0).all():
        raise DataError(
            "the times of a light curve do not ascend",
            where=where,
            expected="finite hours, each later than the one before",
            found="NaN, infinite, equal or descending times",
            fix="sort the light curve by time",
        )
    first, span, spacing = float(time[0]), float(time[-1] - time[0]), float(np.median(step))
    instant, excerpt = exposure_h == 0.0, 0.0 < exposure_h <= _ONE_EXPOSURE_H
    if not (
        abs(first) <= _LONGEST_VISIT_H
        and (excerpt or span >= SHORTEST_VISIT_H)
        and span <= _LONGEST_VISIT_H
        and (instant or _LEAST_FILLED <= exposure_h / spacing <= _MOST_FILLED)
    ):
        found = f"first {first:.8g}, {span:.4g} to the last, {spacing:.3g} apart"
        raise DataError(
            "the times of a light curve are not hours of one visit",
            where=where,
            expected="time in hours from the start of the visit, a visit of some hours, exposure_h in hours",
            found=f"{found}, exposure_h {exposure_h:.3g}",
            fix="days or a Julian date: 24 * (time - time[0]); seconds: time / 3600",
        )


def _check_values(flux: np.ndarray, flux_err: np.ndarray, *, where: str) -> None:
    known = np.isfinite(flux)
    if not known.any():
        what, found = "a light curve has no usable values", "nothing but NaN or infinity"
    elif np.isinf(flux).any() or np.isinf(flux_err).any():
        what, found = "a light curve has infinite values", "infinity in flux or flux_err"
    elif (apart := known != np.isfinite(flux_err)).any():
        step, column = (int(places[0]) for places in np.nonzero(apart))
        what = "flux and flux_err of a light curve do not fit together"
        pair = f"flux {flux[step, column]:.6g}, flux_err {flux_err[step, column]:.6g}"
        found = f"{int(apart.sum())} points with one of them alone, first at [{step}, {column}]: {pair}"
    else:
        return
    expected = "numbers, and NaN in both flux and flux_err where a point is missing"
    raise DataError(what, where=where, expected=expected, found=found)
