"""Light curves of a run with the anchor's model beside them, and the residuals in the forms that figures
show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.training.made_from import fits_light_curve

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement


@dataclass(frozen=True)
class VisitView:
    """One visit: ``time`` (T,) h, ``flux``, ``flux_err``, ``model``, ``baseline`` (T, 283) e⁻ per exposure.

    ``model`` is star · drift · transit as fitted by the anchor, ``baseline`` the same without the transit.
    """

    planet_id: int
    visit: int
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    model: np.ndarray
    baseline: np.ndarray
    wavelength_um: np.ndarray

    def white(self, bins: np.ndarray | slice) -> WhiteLightCurve:
        """Sum over some bins, relative to the out-of-transit baseline; bins that are missing altogether are
        left out, and the result is NaN where others are missing (everywhere, if all are)."""
        flux, error, model, baseline = (
            values[:, bins].astype(np.float64)
            for values in (self.flux, self.flux_err, self.model, self.baseline)
        )
        there = np.isfinite(flux).any(axis=0)
        if there.any():
            flux, error, model, baseline = (values[:, there] for values in (flux, error, model, baseline))
        level = baseline.sum(axis=1)
        return WhiteLightCurve(
            time=self.time,
            flux=flux.sum(axis=1) / level,
            model=model.sum(axis=1) / level,
            error=np.sqrt((error**2).sum(axis=1)) / level,
        )


@dataclass(frozen=True)
class WhiteLightCurve:
    """Relative flux (T,), 1 outside transit; ``residual`` = flux − model."""

    time: np.ndarray
    flux: np.ndarray
    model: np.ndarray
    error: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        return self.flux - self.model


def band_light_curves(view: VisitView) -> dict[str, WhiteLightCurve]:
    """The light curve of FGS1 and of each band of AIRS-CH0, and of the whole AIRS-CH0 as ``AIRS``."""
    curves = {band.name: view.white(band.bins) for band in wavelength_bands(view.wavelength_um)}
    return curves | {"AIRS": view.white(slice(1, None))}


def planets_with_light_curves(run: RunResults) -> list[int]:
    """Planets that have both light curves in the store and an anchor's fit, test planets first."""
    fitted = {int(path.stem) for path in _newest(run, "anchor", "*.npz") if path.stem.isdigit()}
    stored = set()
    for path in _newest(run, "store", "*.npz"):
        planet, _, visit = path.stem.rpartition("_")
        if planet.isdigit() and visit.isdigit():
            stored.add(int(planet))
    first = set(run.test.planet_id.tolist()) if run.test is not None else set()
    return sorted(fitted & stored, key=lambda planet: (planet not in first, planet))


def stored_light_curves(run: RunResults, planet_id: int) -> list[LightCurve]:
    """Light curves of one planet's visits, by visit; empty when the store has none."""
    from spectramind_kit.detector.light_curve import LightCurve

    return [LightCurve.load(path) for path in _newest(run, "store", f"{planet_id}_*.npz")]


def stored_measurement(run: RunResults, planet_id: int) -> DepthMeasurement:
    """The anchor's measurement of one planet.

    Raises
    ------
    DataError
        There is none.
    """
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

    paths = _newest(run, "anchor", f"{planet_id}.npz")
    if not paths:
        raise DataError("no anchor's fit of this planet", where=f"planet {planet_id}", fix="run notebook 02")
    return DepthMeasurement.load(paths[0])


def load_visits(run: RunResults, planet_id: int) -> list[VisitView]:
    """The visits of one planet with the anchor's model.

    Raises
    ------
    DataError
        No visit has both a light curve and a fit.
    """
    measurement = stored_measurement(run, planet_id)
    fits = {fit.visit: fit for fit in measurement.visits}
    curves = stored_light_curves(run, planet_id)
    changed = [curve.visit for curve in curves if not fits_light_curve(measurement, curve)]
    if changed:
        raise DataError(
            "the anchor's fit is of an older light curve",
            where=f"planet {planet_id}, visits {changed}",
            fix="run notebooks 02 and 03 again",
        )
    views = [
        VisitView(
            planet_id=planet_id,
            visit=curve.visit,
            time=curve.time,
            flux=curve.flux,
            flux_err=curve.flux_err,
            model=fits[curve.visit].model_flux,
            baseline=fits[curve.visit].baseline_flux,
            wavelength_um=curve.wavelength_um,
        )
        for curve in curves
        if curve.visit in fits and len(fits[curve.visit].time) == len(curve.time)
    ]
    if not views:
        raise DataError(
            "no visit has both a light curve and an anchor's fit of it",
            where=f"planet {planet_id}",
            fix="run notebooks 01 and 02",
        )
    return views


def _newest(run: RunResults, kind: str, name: str) -> list[Path]:
    """Files of ``store/`` or ``anchor/`` by name: those with the bundle's settings, else with the settings
    written last."""
    paths = run.glob(f"{kind}/{run.settings_folders[kind]}/{name}") if run.settings_folders else []
    if not paths:
        paths = run.glob(f"{kind}/*/{name}")
        last = max(paths, key=lambda path: path.stat().st_mtime).parent.name if paths else ""
        paths = [path for path in paths if path.parent.name == last]
    own_first = {path.name: path for path in reversed(paths)}
    return [own_first[key] for key in sorted(own_first)]
