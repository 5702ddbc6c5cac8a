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


@dataclass(frozen=True)
class LightCurve:
    """Light curves of one visit. Axes (time, wavelength); index 0 of the wavelength axis is FGS1.

    NaN in flux and flux_err marks a missing point: a sensor without a good exposure in that bin. A column, or
    all of a sensor's, may be NaN altogether: a wavelength that saturated, a sensor that could not be read;
    ``flags`` (texts of `detector.flags`) say so. A light curve without any value, or with an infinite one, is
    an error.
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
    curve = LightCurve(
        planet_id=int(head["planet_id"]),
        visit=int(head["visit"]),
        exposure_h=float(head["exposure_h"]),
        flags=tuple(head["flags"]),
        info=dict(head["info"]),
        **arrays,
    )
    _check_values(curve, path)
    return curve, dict(head.get("extra") or {})


def _check_values(curve: LightCurve, path: Path) -> None:
    n, flux, flux_err = len(curve.time), curve.flux, curve.flux_err
    if flux.shape != (n, N_BINS) or flux_err.shape != flux.shape or curve.wavelength_um.shape != (N_BINS,):
        what, found = "a light curve file has wrong shapes", str(flux.shape)
        expected = f"flux ({n}, {N_BINS})"
    elif np.isinf(flux).any() or np.isinf(flux_err).any() or not np.isfinite(flux).any():
        what, found = "a light curve file holds no usable values", "infinity, or nothing but NaN"
        expected = "finite flux and flux_err, NaN for a missing point"
    elif not np.isfinite(curve.time).all() or (np.isnan(flux) != np.isnan(flux_err)).any():
        what = "a light curve file holds values that do not fit together"
        expected, found = "a time for every bin, an error for every flux", "NaN"
    else:
        return
    raise DataError(what, where=str(path), expected=expected, found=found, fix=DELETE)
