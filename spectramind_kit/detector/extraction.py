"""The order of stage 1 for one visit: FGS1 exposures, AIRS-CH0 bins, one time grid, measured noise.

A sensor that cannot be used costs that sensor: the light curve then holds the other one, and its flags say
why.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.instrument import AIRS, FGS1, N_AIRS_BINS
from spectramind_kit.detector.jitter import remove_jitter
from spectramind_kit.detector.layout import AdcInfo, AxisInfo, VisitFiles, read_shared_tables
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.noise import (
    error_course,
    measure_binned_scatter,
    measure_flux_err,
    measure_scatter,
    smooth_course,
)
from spectramind_kit.detector.sensor_flux import AirsFlux, Fgs1Flux, read_airs, read_fgs1
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.spectral_axis import AXIS_TURNED, SpectralAxis, against_the_light, spectral_axis
from spectramind_kit.detector.timing import TimeBins, bin_mean, kept_edges, make_time_bins
from spectramind_kit.errors import DataError


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
    files : VisitFiles
        From `find_visits`.
    settings : DetectorSettings, optional.
    axis, adc, wavelength_um : tables of the data folder (`read_axis_info`, `read_adc_info`,
    `read_wavelengths`); read
        from it when not given. Give them when you process many visits.

    Raises
    ------
    DataError
        Anything about the visit's files that the kit cannot use.
    """
    settings = settings or DetectorSettings()
    data_dir = files.folder.parent.parent
    if axis is None or adc is None or wavelength_um is None:
        tables = read_shared_tables(data_dir, adc=adc, wavelength_um=wavelength_um)
        axis = axis if axis is not None else tables.axis
        adc = adc if adc is not None else tables.adc
        wavelength_um = wavelength_um if wavelength_um is not None else tables.wavelength_um
    given = {"settings": settings, "axis": axis, "adc": adc, "wavelength_um": wavelength_um}
    curve = _extract(files, spectral=spectral_axis(axis.airs_wavelength_um, wavelength_um), **given)
    if not against_the_light(curve.flux[:, 1:], wavelength_um[1:]):
        return curve
    curve = _extract(files, spectral=spectral_axis(axis.airs_wavelength_um[::-1], wavelength_um), **given)
    return replace(curve, flags=(*curve.flags, AXIS_TURNED))


def _extract(
    files: VisitFiles,
    *,
    settings: DetectorSettings,
    axis: AxisInfo,
    adc: AdcInfo,
    wavelength_um: np.ndarray,
    spectral: SpectralAxis,
) -> LightCurve:
    """One sensor's frames are held at a time."""
    given = {"settings": settings, "axis": axis, "adc": adc}
    fgs1 = airs = bins = None
    lost: dict[str, DataError] = {}
    try:
        fgs1 = read_fgs1(files, **given)
    except DataError as error:
        lost[FGS1.name] = error
    try:
        airs, bins = read_airs(files, fgs1, lost, instrument=spectral.airs, **given)
    except DataError as error:
        lost[AIRS.name] = error
    if FGS1.name in lost:
        fgs1 = None
    if airs is None and fgs1 is not None:
        try:
            bins = make_time_bins(None, fgs1.exposures, settings=settings, where=files.label)
        except DataError as error:
            fgs1, lost[FGS1.name] = None, error
    if airs is None and fgs1 is None:
        raise _both_lost(files, lost)
    return _assemble(
        files,
        settings=settings,
        bins=bins,
        fgs1=fgs1,
        airs=airs,
        wavelength_um=wavelength_um,
        spectral=spectral,
        missing=tuple(flags.sensor_missing(name, error) for name, error in lost.items()),
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


def _assemble(
    files: VisitFiles,
    *,
    settings: DetectorSettings,
    bins: TimeBins,
    fgs1: Fgs1Flux | None,
    airs: AirsFlux | None,
    wavelength_um: np.ndarray,
    spectral: SpectralAxis,
    missing: tuple[str, ...],
) -> LightCurve:
    """Both sensors on the whole grid; NaN in a bin without a good exposure, and for a sensor that is lost."""
    empty = np.full(len(bins), np.nan)
    noted, info = list(missing), {}
    fgs1_flux = fgs1_err = empty
    airs_flux = airs_err = np.repeat(empty[:, None], N_AIRS_BINS, axis=1)
    if fgs1 is not None:
        fgs1_flux, fgs1_err, fgs1_info, counts = _bin_fgs1(fgs1, bins, settings=settings)
        noted += _bin_flags(FGS1.name, fgs1.flags, counts)
        info |= fgs1.info | fgs1_info
    if airs is not None:
        airs_flux, airs_err, airs_info = _bin_airs(airs, spectral)
        noted += _bin_flags(AIRS.name, airs.flags, airs.counts)
        info |= airs.info | airs_info
    flux = np.concatenate([fgs1_flux[:, None], airs_flux], axis=1)
    flux_err = np.concatenate([fgs1_err[:, None], airs_err], axis=1)
    known = np.isfinite(flux) & np.isfinite(flux_err)
    if not known.any() or np.isinf(flux).any():
        raise DataError(
            "the light curve is not finite",
            where=files.label,
            expected="finite flux",
            found=f"{int((~np.isfinite(flux)).sum())} NaN or infinite values",
            fix="look at this visit's calibration files, or leave the planet out",
        )
    flux, flux_err = np.where(known, flux, np.nan), np.where(known, flux_err, np.nan)
    return LightCurve(
        planet_id=files.planet_id,
        visit=files.visit,
        time=bins.centre_h,
        flux=flux.astype(np.float32),
        flux_err=flux_err.astype(np.float32),
        wavelength_um=np.asarray(wavelength_um, np.float64),
        exposure_h=float(bins.width_h),
        flags=tuple(noted),
        info=info,
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
        "fgs1_foreground_e": window.foreground,
        "fgs1_corner_star_light_e": window.corner_star_light,
        "fgs1_jitter_rms_px": float(np.hypot(*window.offset_px.std(axis=0)) / np.sqrt(2.0)),
        "fgs1_jitter_explained": explained,
        "fgs1_ppm": float(1e6 * sigma / np.nanmean(flux)),
        "fgs1_predicted_ppm": float(1e6 * window.predicted_noise / np.sqrt(typical) / np.nanmean(flux)),
    }
    return flux, error, info, counts


def _well_filled(exposures: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exposures and edges of the bins that hold at least half of the usual number, put together: what their
    scatter is measured on."""
    counts = np.diff(edges)
    use = counts >= 0.5 * np.median(counts[counts > 0])
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
