"""Light curves of a run with the anchor's model beside them, as figures and tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.bands import SENSORS, wavelength_bands
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.training.made_from import fits_light_curve

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve
    from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
    from spectramind_kit.transit.likelihood.visit_fit import VisitFit

NO_LIGHT_CURVES = "no planet has both a light curve in the store and an anchor's fit"


@dataclass(frozen=True)
class WhiteLightCurve:
    """Light curve of several bins together, relative to the star: 1 outside transit."""

    time: np.ndarray  # (T,) h from the start of the visit
    flux: np.ndarray  # (T,) NaN where it is missing
    model: np.ndarray  # (T,)
    error: np.ndarray  # (T,) 1σ of the flux

    @property
    def residual(self) -> np.ndarray:
        return self.flux - self.model

    @property
    def good(self) -> np.ndarray:
        """(T,) where there is a measurement."""
        return np.isfinite(self.flux) & np.isfinite(self.error)


@dataclass(frozen=True)
class VisitView:
    """The light curve of one visit and the anchor's fit of it."""

    curve: LightCurve
    fit: VisitFit

    @cached_property
    def _model(self) -> tuple[np.ndarray, np.ndarray]:
        """star · drift · transit and star · drift, each (T, 283), e⁻ per exposure."""
        return self.fit.model_flux, self.fit.baseline_flux

    def white(self, bins: np.ndarray | slice) -> WhiteLightCurve:
        """Sum over some bins, relative to the out-of-transit baseline.

        Bins that are missing altogether are left out; the flux is NaN where others are missing (everywhere,
        if all are).
        """
        whole = (self.curve.flux, self.curve.flux_err, *self._model)
        parts = [part[:, bins].astype(np.float64) for part in whole]
        there = np.isfinite(parts[0]).any(axis=0)
        if there.any():
            parts = [part[:, there] for part in parts]
        flux, error, model, baseline = parts
        level = baseline.sum(axis=1)
        error = np.sqrt((error**2).sum(axis=1)) / level
        return WhiteLightCurve(self.curve.time, flux.sum(axis=1) / level, model.sum(axis=1) / level, error)


def band_light_curves(view: VisitView) -> dict[str, WhiteLightCurve]:
    """The light curve of FGS1 and of each band of AIRS-CH0, and of the whole AIRS-CH0 as ``AIRS``."""
    curves = {band.name: view.white(band.bins) for band in wavelength_bands(view.curve.wavelength_um)}
    return curves | {"AIRS": view.white(SENSORS["AIRS"])}


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


def some_of(planets: Sequence[int], count: int) -> list[int]:
    """Up to ``count`` planets, evenly spread: train and test in the proportion in which the run has them."""
    if len(planets) <= count:
        return list(planets)
    return [planets[index] for index in np.linspace(0, len(planets) - 1, count).astype(int)]


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
        No visit has both a light curve and a fit, or the fit is of an older light curve.
    """
    measurement, curves = stored_measurement(run, planet_id), stored_light_curves(run, planet_id)
    changed = [curve.visit for curve in curves if not fits_light_curve(measurement, curve)]
    if changed:
        where, fix = f"planet {planet_id}, visits {changed}", "run notebooks 02 and 03 again"
        raise DataError("the anchor's fit is of an older light curve", where=where, fix=fix)
    fits = {fit.visit: fit for fit in measurement.visits}
    views = [VisitView(curve, fits[curve.visit]) for curve in curves if curve.visit in fits]
    views = [view for view in views if len(view.fit.time) == len(view.curve.time)]
    if not views:
        what = "no visit has both a light curve and an anchor's fit of it"
        raise DataError(what, where=f"planet {planet_id}", fix="run notebooks 01 and 02")
    return views


def _newest(run: RunResults, kind: str, name: str) -> list[Path]:
    """Files of ``store/`` or ``anchor/`` by name: of the bundle's settings, else of those written last."""
    paths = run.glob(f"{kind}/{run.settings_folders[kind]}/{name}") if run.settings_folders else []
    if not paths:
        paths = run.glob(f"{kind}/*/{name}")
        last = max(paths, key=lambda path: path.stat().st_mtime).parent.name if paths else ""
        paths = [path for path in paths if path.parent.name == last]
    own_first = {path.name: path for path in reversed(paths)}
    return [own_first[key] for key in sorted(own_first)]
