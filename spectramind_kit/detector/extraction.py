"""The order of stage 1 for one visit: FGS1 exposures, AIRS-CH0 bins, one time grid, measured noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.jitter import WindowFlux, average_over_exposures, fit_jitter, plan_window, remove_jitter
from spectramind_kit.detector.layout import AdcInfo, AxisInfo, VisitFiles, read_shared_tables
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.noise import (
    error_course,
    measure_binned_scatter,
    measure_flux_err,
    measure_scatter,
    smooth_course,
)
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.spectral_axis import AXIS_TURNED, SpectralAxis, against_the_light, spectral_axis
from spectramind_kit.detector.timing import Exposures, TimeBins, bin_mean, make_time_bins
from spectramind_kit.detector.trace import Trace, extract_trace
from spectramind_kit.detector.visit_frames import CalibratedFrames, calibrate_raw, read_raw_visit
from spectramind_kit.errors import DataError


def extract(files: VisitFiles, *, settings: DetectorSettings | None = None, axis: AxisInfo | None = None,
            adc: AdcInfo | None = None, wavelength_um: np.ndarray | None = None) -> LightCurve:
    """See `spectramind_kit.detector.light_curve.extract_light_curve`."""
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


def _extract(files: VisitFiles, *, settings: DetectorSettings, axis: AxisInfo, adc: AdcInfo,
             wavelength_um: np.ndarray,
             spectral: SpectralAxis) -> LightCurve:
    """One sensor's frames are held at a time."""
    files.check()
    raw = read_raw_visit(files, FGS1, settings=settings, axis=axis, adc=adc)
    fgs1_exposures, sample = raw.exposures, raw.sample()
    plan = plan_window(raw.selection, sample[0], bad=raw.pixels.bad | sample[1], read_noise=raw.pixels.read_noise,
                       settings=settings)
    frames = calibrate_raw(raw, settings=settings, project=plan.projection, sample=sample)
    flags, info = list(frames.flags), dict(frames.info)
    window = plan.apply(frames.projected)
    del raw, frames

    raw = read_raw_visit(files, spectral.airs, settings=settings, axis=axis, adc=adc)
    bins = make_time_bins(raw.exposures, fgs1_exposures, settings=settings, where=files.label)
    frames = calibrate_raw(raw, settings=settings, bin_edges=bins.airs,
                           trace_rows=settings.airs_rows if settings.airs_jitter else None)
    airs_exposures = raw.exposures
    del raw
    flags += frames.flags
    info |= frames.info
    trace = extract_trace(frames, settings=settings)
    if settings.airs_jitter:
        trace = _remove_airs_jitter(trace, frames, window, bins, airs_exposures, fgs1_exposures)
    return _assemble(files, settings=settings, bins=bins, window=window, trace=trace, wavelength_um=wavelength_um,
                     spectral=spectral, flags=flags, info=info)


def _remove_airs_jitter(trace: Trace, frames: CalibratedFrames, window: WindowFlux, bins: TimeBins, airs: Exposures,
                        fgs1: Exposures) -> Trace:
    """Divide the response of each wavelength to pointing out of the binned trace.

    FGS1 knows the pointing along the dispersion far better than the spectrum itself does; across it, the trace's own centroid
    is the better gauge, and is kept beside FGS1's for a pointing that the two do not share.
    """
    first, last = int(bins.airs[0]), int(bins.airs[-1])
    # half a cadence to both sides, not the ramp: frames that were co-added before they were stored last longer than a ramp
    half = 0.5 * airs.cadence_h
    seen = average_over_exposures(window.features, fgs1.centre_h, start_h=airs.centre_h[first:last] - half,
                                  end_h=airs.centre_h[first:last] + half)
    total = frames.moments[:, 0].astype(np.float64)
    centroid = frames.moments[:, 1] / total
    width = frames.moments[:, 2] / total - centroid ** 2
    features = np.concatenate([seen[:, :5], centroid[:, None], width[:, None]], axis=1)
    edges = bins.airs - first
    series = frames.columns if len(frames.columns) > len(bins) else trace.flux
    factor, explained = fit_jitter(series, features, edges=edges)
    return replace(trace, flux=trace.flux / factor(bin_mean(features, edges)), jitter_explained=float(explained.mean()))


def _assemble(files: VisitFiles, *, settings: DetectorSettings, bins: TimeBins, window: WindowFlux, trace: Trace,
              wavelength_um: np.ndarray, spectral: SpectralAxis, flags: list[str],
              info: dict[str, float]) -> LightCurve:
    fgs1, explained = window.flux, 0.0
    if settings.fgs1_jitter:
        fgs1, explained = remove_jitter(window.flux, window.features, edges=bins.fgs1)
    fgs1_sigma = measure_binned_scatter(fgs1, bins.fgs1)
    fgs1 = bin_mean(fgs1, bins.fgs1)
    per_bin_fgs1, per_bin_airs = np.diff(bins.fgs1), int(np.diff(bins.airs)[0])
    airs = spectral.orient(trace.flux).astype(np.float64)
    predicted_airs = spectral.orient(trace.predicted_noise) / np.sqrt(per_bin_airs)
    predicted_fgs1 = window.predicted_noise / np.sqrt(per_bin_fgs1.mean())
    flux = np.concatenate([fgs1[:, None], airs], axis=1)
    if not np.isfinite(flux).all():
        raise DataError("the light curve is not finite", where=files.label, expected="finite flux in every bin",
                        found=f"{int((~np.isfinite(flux)).sum())} NaN or infinite values",
                        fix="look at this visit's calibration files, or leave the planet out")
    if fgs1.mean() <= 0 or airs.sum(axis=1).mean() <= 0:
        raise DataError("there is no star in the frames", where=files.label, expected="a positive flux on both sensors",
                        found=f"FGS1 {fgs1.mean():.3g}, AIRS-CH0 {airs.sum(axis=1).mean():.3g} e⁻ per exposure",
                        fix="look at adc_info.csv (data.adc_direction) and at this visit's files")
    fgs1_err = fgs1_sigma * error_course(smooth_course(fgs1), per_bin_fgs1)
    flux_err = np.concatenate([fgs1_err[:, None], measure_flux_err(airs, predicted_airs)], axis=1)
    white = airs.sum(axis=1)
    info |= {
        "airs_exposures_per_bin": float(per_bin_airs), "fgs1_exposures_per_bin": float(per_bin_fgs1.mean()),
        "airs_foreground_e": float(trace.foreground.mean()), "airs_edge_star_light_e": float(trace.edge_star_light.mean()),
        "fgs1_foreground_e": window.foreground, "fgs1_corner_star_light_e": window.corner_star_light,
        "fgs1_jitter_rms_px": float(np.hypot(*window.offset_px.std(axis=0)) / np.sqrt(2.0)),
        "fgs1_jitter_explained": explained,
        "airs_jitter_explained": trace.jitter_explained,
        "airs_trace_row": float(trace.centroid.mean()), "airs_trace_row_rms": float(trace.centroid.std()),
        "airs_white_ppm": float(1e6 * measure_scatter(white) / white.mean()),
        "airs_white_predicted_ppm": float(1e6 * np.sqrt((predicted_airs ** 2).sum()) / white.mean()),
        "fgs1_ppm": float(1e6 * fgs1_sigma / fgs1.mean()),
        "fgs1_predicted_ppm": float(1e6 * predicted_fgs1 / fgs1.mean()),
    }
    return LightCurve(planet_id=files.planet_id, visit=files.visit, time=bins.centre_h, flux=flux.astype(np.float32),
                      flux_err=flux_err.astype(np.float32), wavelength_um=np.asarray(wavelength_um, np.float64),
                      exposure_h=float(bins.width_h), flags=tuple(flags), info=info)
