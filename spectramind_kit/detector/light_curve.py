"""`LightCurve`: what stage 1 makes of one visit, and `extract_light_curve`, which makes it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    from spectramind_kit.detector.layout import AdcInfo, AxisInfo, VisitFiles
    from spectramind_kit.detector.settings import DetectorSettings

_ARRAYS = ("time", "flux", "flux_err", "wavelength_um")


@dataclass(frozen=True)
class LightCurve:
    """Light curves of one visit. Axes (time, wavelength); index 0 of the wavelength axis is FGS1.

    time (T,) float64, hours from the start of the visit, bin centres · flux (T, 283) float32, e⁻ per exposure, mean over
    the bin · flux_err (T, 283) float32, 1σ of that mean · wavelength_um (283,) · exposure_h, width of a bin in hours.
    """

    planet_id: int
    visit: int
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    wavelength_um: np.ndarray
    exposure_h: float
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
        """(T,) sum over the AIRS wavelengths"""
        return self.flux[:, 1:].sum(axis=1, dtype=np.float64)

    def binned(self, n: int) -> LightCurve:
        """Means of ``n`` neighbouring bins, weighted alike; a rest shorter than ``n`` is dropped."""
        count = len(self.time) // n
        if n < 1 or count < 1:
            raise DataError("cannot bin", where=f"planet {self.planet_id} visit {self.visit}",
                            expected=f"1 … {len(self.time)}", found=str(n), fix="choose a smaller n")

        def mean(values: np.ndarray) -> np.ndarray:
            return values[:count * n].reshape(count, n, *values.shape[1:]).mean(axis=1, dtype=np.float64)

        return replace(self, time=mean(self.time), flux=mean(self.flux).astype(np.float32), exposure_h=self.exposure_h * n,
                       flux_err=np.sqrt(mean(np.square(self.flux_err, dtype=np.float64)) / n).astype(np.float32))

    def save(self, path: str | Path, *, extra: Mapping[str, Any] | None = None) -> None:
        """Write to ``path`` (.npz) atomically: a reader sees the whole file or none, whenever the process dies."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"planet_id": self.planet_id, "visit": self.visit, "exposure_h": self.exposure_h, "flags": self.flags,
                "info": self.info, "extra": dict(extra or {})}
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                np.savez(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8),
                         **{name: getattr(self, name) for name in _ARRAYS})
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> LightCurve:
        """Read and verify: the archive's checksums, shapes, finite values.

        Raises
        ------
        DataError
            No such file, or one that fails a check.
        """
        return load_with_extra(path)[0]


def load_with_extra(path: str | Path) -> tuple[LightCurve, dict[str, Any]]:
    """`LightCurve.load`, and the notes that `LightCurve.save` was given beside it."""
    path = Path(path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:  # zip checks a CRC-32 of every member that is read
            head = json.loads(archive["head"].tobytes().decode())
            arrays = {name: archive[name] for name in _ARRAYS}
    except FileNotFoundError as error:
        raise DataError("no light curve of this visit", where=str(path), expected="a file of the store",
                        found="no such file", fix="run build_light_curves") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("a light curve file is damaged", where=str(path), expected="a file written by LightCurve.save",
                        found=f"{type(error).__name__}: {error}", fix="delete it; it is computed again") from error
    curve = LightCurve(planet_id=int(head["planet_id"]), visit=int(head["visit"]), exposure_h=float(head["exposure_h"]),
                       flags=tuple(head["flags"]), info=dict(head["info"]), **arrays)
    n = len(curve.time)
    if curve.flux.shape != (n, N_BINS) or curve.flux_err.shape != (n, N_BINS) or curve.wavelength_um.shape != (N_BINS,):
        raise DataError("a light curve file has wrong shapes", where=str(path), expected=f"flux ({n}, {N_BINS})",
                        found=str(curve.flux.shape), fix="delete it; it is computed again")
    if not (np.isfinite(curve.flux).all() and np.isfinite(curve.flux_err).all()):
        raise DataError("a light curve file holds values that are not finite", where=str(path),
                        expected="finite flux and flux_err", found="NaN or infinity", fix="delete it; it is computed again")
    return curve, dict(head.get("extra") or {})


def extract_light_curve(files: VisitFiles, *, settings: DetectorSettings | None = None, axis: AxisInfo | None = None,
                        adc: AdcInfo | None = None, wavelength_um: np.ndarray | None = None) -> LightCurve:
    """Raw frames of one visit → `LightCurve`: the whole of stage 1.

    Parameters
    ----------
    files : VisitFiles
        From `find_visits`.
    settings : DetectorSettings, optional.
    axis, adc, wavelength_um : tables of the data folder (`read_axis_info`, `read_adc_info`, `read_wavelengths`); read
        from it when not given. Give them when you process many visits.

    Raises
    ------
    DataError
        Anything about the visit's files that the kit cannot use.
    """
    from spectramind_kit.detector.extraction import extract

    return extract(files, settings=settings, axis=axis, adc=adc, wavelength_um=wavelength_um)
