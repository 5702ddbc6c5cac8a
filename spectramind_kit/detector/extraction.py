"""The order of stage 1 for one visit: FGS1 exposures, AIRS-CH0 bins, one time grid, measured noise.

A sensor that cannot be used costs that sensor: the light curve holds the other one, and its flags say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.adc_info import AdcInfo
from spectramind_kit.detector.airs_flux import AirsFlux, read_airs
from spectramind_kit.detector.axis_info import AxisInfo
from spectramind_kit.detector.fgs1_flux import Fgs1Flux, read_fgs1
from spectramind_kit.detector.instrument import AIRS, FGS1, N_BINS
from spectramind_kit.detector.jitter import remove_jitter
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.noise import (
    error_course,
    measure_binned_scatter,
    measure_flux_err,
    measure_scatter,
    smooth_course,
)
from spectramind_kit.detector.raw_visit import VisitSource
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import SharedTables, read_shared_tables
from spectramind_kit.detector.spectral_axis import SpectralAxis, against_the_light, spectral_axis
from spectramind_kit.detector.timing import TimeBins, bin_mean, kept_edges, make_time_bins
from spectramind_kit.errors import DataError

_VISITS_TO_TRY = 10
_WELL_FILLED = 0.5  # of the usual number of exposures in a bin


def extract_light_curve(
    files: VisitFiles,
    *,
    settings: DetectorSettings | None = None,
    axis: AxisInfo | None = None,
    adc: AdcInfo | None = None,
    wavelength_um: np.ndarray | None = None,
) -> LightCurve:
    """Raw frames of one visit → `LightCurve`: the whole of stage 1.

    Parameters
    ----------
    files : from `find_visits`.
    settings : by default those that measured best.
    axis, adc, wavelength_um : tables of the data folder (`read_axis_info`, `read_adc_info`,
        `read_wavelengths`); read from it when not given. Give them when you process many visits.

    Raises
    ------
    DataError
        Anything about the visit's files that the kit cannot use.
    """
    if axis is None or adc is None or wavelength_um is None:
        tables = read_shared_tables(files.folder.parent.parent, adc=adc, wavelength_um=wavelength_um)
        axis = axis if axis is not None else tables.axis
        adc = adc if adc is not None else tables.adc
        wavelength_um = wavelength_um if wavelength_um is not None else tables.wavelength_um
    source = VisitSource(files, settings or DetectorSettings(), axis, adc)
    curve = _extract(source, spectral_axis(axis.airs_wavelength_um, wavelength_um), wavelength_um)
    if not against_the_light(curve.flux[:, 1:], wavelength_um[1:]):
        return curve
    curve = _extract(source, spectral_axis(axis.airs_wavelength_um[::-1], wavelength_um), wavelength_um)
    return replace(curve, flags=(*curve.flags, flags.AXIS_TURNED))


def first_light_curve(
    visits: Sequence[VisitFiles], *, settings: DetectorSettings, tables: SharedTables
) -> tuple[VisitFiles, LightCurve]:
    """The first of a few visits both of whose sensors can be used, and its light curve.

    Raises the last visit's DataError where there is none.
    """
    error = DataError("there is no visit", where="first_light_curve", fix="check data_dir")
    for files in visits[:_VISITS_TO_TRY]:
        shared = {"axis": tables.axis, "adc": tables.adc, "wavelength_um": tables.wavelength_um}
        try:
            curve = extract_light_curve(files, settings=settings, **shared)
        except DataError as caught:
            error = caught
            continue
        if np.isfinite(curve.fgs1).any() and np.isfinite(curve.airs).any():
            return files, curve
        error = DataError("a sensor is missing", where=files.label, found="; ".join(curve.flags))
    raise error


def _extract(source: VisitSource, spectral: SpectralAxis, wavelength_um: np.ndarray) -> LightCurve:
    """One sensor's frames are held at a time."""
    fgs1 = airs = bins = None
    lost: dict[str, DataError] = {}
    try:
        fgs1 = read_fgs1(source)
    except DataError as error:
        lost[FGS1.name] = error
    try:
        airs = read_airs(source, fgs1, instrument=spectral.airs)
    except DataError as error:
        lost[AIRS.name] = error
    if airs is not None:
        bins = airs.bins
        if airs.fgs1_error is not None:
            fgs1, lost[FGS1.name] = None, airs.fgs1_error
    elif fgs1 is not None:
        try:
            bins = make_time_bins(None, fgs1.exposures, settings=source.settings, where=source.files.label)
        except DataError as error:
            fgs1, lost[FGS1.name] = None, error
    if bins is None:
        raise _both_lost(source.files, lost)
    noted = [flags.sensor_missing(name, error) for name, error in lost.items()]
    info: dict[str, float] = {}
    flux, flux_err = np.full((2, len(bins), N_BINS), np.nan)
    if fgs1 is not None:
        flux[:, 0], flux_err[:, 0], figures, counts = _bin_fgs1(fgs1, bins, settings=source.settings)
        noted += _bin_flags(FGS1.name, fgs1.flags, counts)
        info |= fgs1.info | figures
    if airs is not None:
        flux[:, 1:], flux_err[:, 1:], figures = _bin_airs(airs, spectral)
        noted += _bin_flags(AIRS.name, airs.flags, airs.counts)
        info |= airs.info | figures
    # a number without its error is a missing point; infinity is refused by the light curve itself
    known = ~np.isnan(flux) & np.isfinite(flux_err)
    return LightCurve(
        planet_id=source.files.planet_id,
        visit=source.files.visit,
        time=bins.centre_h,
        flux=np.where(known, flux, np.nan).astype(np.float32),
        flux_err=np.where(known, flux_err, np.nan).astype(np.float32),
        wavelength_um=np.asarray(wavelength_um, np.float64),
        exposure_h=float(bins.width_h),
        flags=tuple(noted),
        info=info,
    )


def _both_lost(files: VisitFiles, lost: dict[str, DataError]) -> DataError:
    first, second = lost[FGS1.name], lost[AIRS.name]
    if str(first) == str(second):
        return first
    return DataError(
        "neither sensor can be used",
        where=files.label,
        expected="FGS1 or AIRS-CH0 frames of a star",
        found=f"FGS1: {first}; AIRS-CH0: {second}",
        fix="see the reasons",
    )


def _bin_flags(sensor: str, noted: tuple[str, ...], counts: np.ndarray) -> list[str]:
    empty = int((counts == 0).sum())
    return list(noted) + ([flags.empty_bins(sensor, empty)] if empty else [])


def _bin_fgs1(
    fgs1: Fgs1Flux, bins: TimeBins, *, settings: DetectorSettings
) -> tuple[np.ndarray, np.ndarray, dict[str, float], np.ndarray]:
    """(T,) flux and error, figures, and counts (T,) of good exposures."""
    window, edges = fgs1.window, kept_edges(bins.fgs1, fgs1.good)
    counts, filled = np.diff(edges), np.unique(edges)
    exposures, explained = window.flux, 0.0
    if settings.fgs1_jitter:
        exposures, explained = remove_jitter(window.flux, window.features, edges=filled)
    flux = np.full(len(bins), np.nan)
    flux[counts > 0] = bin_mean(exposures, filled)
    sigma = measure_binned_scatter(*_well_filled(exposures, edges))
    error = sigma * error_course(smooth_course(flux), counts)
    typical = float(np.mean(counts[counts > 0]))
    info = {
        "fgs1_exposures_per_bin": typical,
        "fgs1_foreground_e": window.plan.foreground.level,
        "fgs1_corner_star_light_e": window.plan.foreground.star_light,
        "fgs1_jitter_rms_px": float(np.hypot(*window.offset_px.std(axis=0)) / np.sqrt(2.0)),
        "fgs1_jitter_explained": explained,
        "fgs1_ppm": float(1e6 * sigma / np.nanmean(flux)),
        "fgs1_predicted_ppm": float(1e6 * window.plan.predicted_noise / np.sqrt(typical) / np.nanmean(flux)),
    }
    return flux, error, info, counts


def _well_filled(exposures: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exposures and edges of the bins with at least half of the usual number: for the scatter."""
    counts = np.diff(edges)
    use = counts >= _WELL_FILLED * np.median(counts[counts > 0])
    if use.all():
        return exposures, edges
    chosen = np.concatenate([np.arange(a, b) for a, b in zip(edges[:-1][use], edges[1:][use], strict=True)])
    return exposures[chosen], np.concatenate([[0], np.cumsum(counts[use])])


def _bin_airs(airs: AirsFlux, spectral: SpectralAxis) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """(T, 282) flux and error in the order of wavelengths.csv, and figures."""
    trace, counts = airs.trace, airs.counts
    flux = np.full((len(counts), trace.flux.shape[1]), np.nan)
    flux[counts > 0] = spectral.orient(trace.flux)
    typical = float(np.median(counts[counts > 0]))
    predicted = spectral.orient(trace.predicted_noise) / np.sqrt(typical)
    there = np.isfinite(flux).any(axis=0)
    white = flux[:, there].sum(axis=1)
    info = {
        "airs_exposures_per_bin": typical,
        "airs_foreground_e": float(trace.foreground.mean()),
        "airs_edge_star_light_e": float(trace.edge_star_light.mean()),
        "airs_jitter_explained": trace.jitter_explained,
        "airs_trace_row": float(trace.centroid.mean()),
        "airs_trace_row_rms": float(trace.centroid.std()),
        "airs_white_ppm": float(1e6 * measure_scatter(white[counts > 0]) / np.nanmean(white)),
        "airs_white_predicted_ppm": float(1e6 * np.sqrt((predicted[there] ** 2).sum()) / np.nanmean(white)),
    }
    return flux, measure_flux_err(flux, predicted, counts=counts), info
