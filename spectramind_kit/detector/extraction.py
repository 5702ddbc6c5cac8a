"""The order of stage 1 for one visit: FGS1 exposures, AIRS-CH0 bins, one time grid, measured noise.

A sensor that cannot be used costs that sensor: the light curve then holds the other one, and its flags say
why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.changing_foreground import levels_beside, trace_variation, window_variation
from spectramind_kit.detector.instrument import AIRS, FGS1, N_AIRS_BINS, Instrument
from spectramind_kit.detector.jitter import WindowFlux, average_over_exposures, fit_jitter, plan_window, remove_jitter
from spectramind_kit.detector.layout import AdcInfo, AxisInfo, VisitFiles, read_adc_info, read_axis_info, read_wavelengths
from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.detector.noise import (
    error_course,
    measure_binned_scatter,
    measure_flux_err,
    measure_scatter,
    smooth_course,
)
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import Exposures, TimeBins, bin_mean, kept_edges, make_time_bins
from spectramind_kit.detector.trace import Trace, extract_trace
from spectramind_kit.detector.visit_frames import CalibratedFrames, RawVisit, calibrate_raw, read_raw_visit
from spectramind_kit.errors import DataError

_FOREGROUND_SEGMENTS = 187
_LOST_COLUMN, _LOST_SENSOR = 0.85, 0.8  # share of the light in saturated pixels
# of one exposure; real stars: thousands (AIRS-CH0), a hundred and more (FGS1)
_STAR_OVER_NOISE = 3.0


@dataclass(frozen=True)
class _Fgs1:
    """What FGS1 gives before the time bins are known."""

    window: WindowFlux
    exposures: Exposures
    good: np.ndarray
    flags: tuple[str, ...]
    info: dict[str, float]

    @property
    def centre_h(self) -> np.ndarray:
        return self.exposures.centre_h[self.good]


@dataclass(frozen=True)
class _Airs:
    """What AIRS-CH0 gives: ``trace`` of the bins that have an exposure, counts (T,) of good exposures in all
    bins."""

    trace: Trace
    counts: np.ndarray
    flags: tuple[str, ...]
    info: dict[str, float]


def extract(files: VisitFiles, *, settings: DetectorSettings | None = None, axis: AxisInfo | None = None,
            adc: AdcInfo | None = None, wavelength_um: np.ndarray | None = None) -> LightCurve:
    """See `spectramind_kit.detector.light_curve.extract_light_curve`. One sensor's frames are held at a time."""
    settings = settings or DetectorSettings()
    data_dir = files.folder.parent.parent
    axis = axis if axis is not None else read_axis_info(data_dir)
    adc = adc if adc is not None else read_adc_info(data_dir)
    wavelength_um = wavelength_um if wavelength_um is not None else read_wavelengths(data_dir)

    fgs1 = airs = bins = None
    lost: dict[str, DataError] = {}
    try:
        fgs1 = _read_fgs1(files, settings=settings, axis=axis, adc=adc)
    except DataError as error:
        lost[FGS1.name] = error
    try:
        airs, bins = _read_airs(files, fgs1, lost, settings=settings, axis=axis, adc=adc)
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
    return _assemble(files, settings=settings, bins=bins, fgs1=fgs1, airs=airs, wavelength_um=wavelength_um,
                     missing=tuple(flags.sensor_missing(name, error) for name, error in lost.items()))


def _both_lost(files: VisitFiles, lost: dict[str, DataError]) -> DataError:
    first, second = lost[FGS1.name], lost[AIRS.name]
    if str(first) == str(second):
        return first
    return DataError("neither sensor can be used", where=files.label,
                     expected="FGS1 or AIRS-CH0 frames of a star",
                     found=f"FGS1: {first}; AIRS-CH0: {second}", fix="see the reasons")


def _bins_of_both(airs: Exposures, fgs1: _Fgs1 | None, lost: dict[str, DataError], *,
                  settings: DetectorSettings, where: str) -> TimeBins:
    """One grid for both sensors; AIRS-CH0's own where FGS1 is lost, or was read at another time."""
    if fgs1 is not None:
        try:
            return make_time_bins(airs, fgs1.exposures, settings=settings, where=where)
        except DataError as error:
            # raises where the bins are at fault
            bins = make_time_bins(airs, None, settings=settings, where=where)
            lost[FGS1.name] = error
            return bins
    return make_time_bins(airs, None, settings=settings, where=where)


def _read_fgs1(files: VisitFiles, *, settings: DetectorSettings, axis: AxisInfo, adc: AdcInfo) -> _Fgs1:
    raw = read_raw_visit(files, FGS1, settings=settings, axis=axis, adc=adc)
    sample = raw.sample()
    mean, saturated = sample
    n_grid = raw.selection.n_grid
    share = _saturated_share(mean[:n_grid], saturated[:n_grid] & ~raw.pixels.bad[:n_grid])
    _check_saturation(raw, share)
    plan = plan_window(raw.selection, mean, bad=raw.pixels.bad | saturated, read_noise=raw.pixels.read_noise,
                       settings=settings)
    frames = calibrate_raw(raw, settings=settings, project=plan.projection, sample=sample)
    window = plan.apply(frames.projected)
    noted = list(frames.flags) + _saturation_flags(FGS1, saturated, share)
    level = float(window.flux.mean())
    if not level > _STAR_OVER_NOISE * window.predicted_noise:
        raise _no_star(raw, level)
    beside = slice(n_grid, len(raw.selection))
    if settings.foreground != "off" and beside.start < beside.stop:
        levels = levels_beside(raw.adu, beside, bad=raw.pixels.bad,
                               electrons_per_count=float(raw.pixels.factor))
        variation = window_variation(levels, window.flux, star_light=window.corner_star_light,
                                     segments=_FOREGROUND_SEGMENTS)
        if variation is not None:
            window = plan.apply(frames.projected, variation=variation)
            noted.append(flags.foreground_varies(FGS1.name, float(np.ptp(variation))))
    info = dict(frames.info) | {"fgs1_saturated_share": share}
    return _Fgs1(window=window, exposures=raw.exposures, good=raw.check.good, flags=tuple(noted), info=info)


def _read_airs(files: VisitFiles, fgs1: _Fgs1 | None, lost: dict[str, DataError], *,
               settings: DetectorSettings, axis: AxisInfo,
               adc: AdcInfo) -> tuple[_Airs, TimeBins]:
    """AIRS-CH0 on the grid of both sensors. ``lost`` gets FGS1 where its exposures do not fit to these."""
    raw = read_raw_visit(files, AIRS, settings=settings, axis=axis, adc=adc)
    bins = _bins_of_both(raw.exposures, fgs1, lost, settings=settings, where=files.label)
    if bins.fgs1 is None:
        fgs1 = None
    edges = kept_edges(bins.airs, raw.check.good)
    counts, filled = np.diff(edges), np.unique(edges)
    if len(filled) < 2:
        raise DataError("no usable exposures", where=f"{raw.label}, {AIRS.name}",
                        expected="some in the time bins", found="none",
                        fix="copy the signal file again, or leave the planet out")
    sample = raw.sample()
    frames = calibrate_raw(raw, settings=settings, bin_edges=filled, sample=sample,
                           trace_rows=settings.airs_rows if settings.airs_jitter else None)
    trace = extract_trace(frames, settings=settings)
    saturated = sample[1]
    n_grid = raw.selection.n_grid
    share = _saturated_share(sample[0][:n_grid], saturated[:n_grid] & ~raw.pixels.bad[:n_grid])
    _check_saturation(raw, share)
    noted = list(frames.flags) + _saturation_flags(AIRS, saturated, share)
    white = trace.flux.sum(axis=1, dtype=np.float64)
    if not white.mean() > _STAR_OVER_NOISE * np.sqrt(float((trace.predicted_noise ** 2).sum())):
        raise _no_star(raw, float(white.mean()))
    if settings.foreground != "off":
        variation = trace_variation(raw, filled, white / white.mean(), star_light=trace.edge_star_light)
        if variation is not None:
            trace = replace(trace, flux=trace.flux - (variation * trace.per_pixel).astype(np.float32))
            if frames.moments is not None:  # light in all rows would pass for a trace that widens
                changed = np.repeat(variation @ frames.moments_per_pixel, np.diff(filled), axis=0)
                frames = replace(frames, moments=frames.moments - changed.astype(np.float32))
            noted.append(flags.foreground_varies(AIRS.name, float(np.ptp(variation.mean(axis=1)))))
    centre, cadence = raw.centre_h[filled[0]:filled[-1]], raw.exposures.cadence_h
    del raw  # what follows needs memory of its own
    if settings.airs_jitter:
        trace = _remove_airs_jitter(trace, frames, filled, centre, cadence, fgs1)
    gone = trace.saturated_share > _LOST_COLUMN
    if gone.any():
        trace = replace(trace, flux=np.where(gone, np.float32(np.nan), trace.flux))
        noted.append(flags.lost_columns(AIRS.name, int(gone.sum())))
    return _Airs(trace=trace, counts=counts, flags=tuple(noted),
                 info=dict(frames.info) | {"airs_saturated_share": share}), bins


def _saturated_share(mean: np.ndarray, saturated: np.ndarray) -> float:
    """At least this part of the light fell into saturated pixels: they hold less than they received."""
    light = np.maximum(mean, 0.0)
    return float(light[saturated].sum() / max(float(light.sum()), 1e-12))


def _saturation_flags(sensor: Instrument, saturated: np.ndarray, share: float) -> list[str]:
    return [flags.saturated_pixels(sensor.name, int(saturated.sum()), share)] if saturated.any() else []


def _check_saturation(raw: RawVisit, share: float) -> None:
    if share > _LOST_SENSOR:
        raise _saturated(raw, share)


def _saturated(raw: RawVisit, share: float) -> DataError:
    return DataError("the star saturates the sensor", where=f"{raw.label}, {raw.selection.instrument.name}",
                     expected="light in good pixels",
                     found=f"{share:.0%} of it in saturated ones", fix="nothing; the other sensor is used")


def _no_star(raw: RawVisit, level: float) -> DataError:
    return DataError("there is no star in the frames", where=f"{raw.label}, {raw.selection.instrument.name}",
                     expected="a flux well above its noise", found=f"{level:.3g} e⁻ per exposure",
                     fix="look at adc_info.csv (data.adc_direction) and at this visit's files")


def _remove_airs_jitter(trace: Trace, frames: CalibratedFrames, edges: np.ndarray, centre_h: np.ndarray,
                        cadence_h: float,
                        fgs1: _Fgs1 | None) -> Trace:
    """Divide the response of each wavelength to pointing out of the binned trace.

    FGS1 knows the pointing along the dispersion far better than the spectrum itself does; across it, the trace's own centroid
    is the better gauge, and is kept beside FGS1's for a pointing that the two do not share. ``edges``: of the
    filled bins; ``centre_h``: of their exposures.
    """
    total = frames.moments[:, 0].astype(np.float64)
    centroid = frames.moments[:, 1] / total
    width = frames.moments[:, 2] / total - centroid ** 2
    features = np.stack([centroid, width], axis=1)
    if fgs1 is not None:
        # half a cadence to both sides, not the ramp: frames that were co-added before they were stored last
        # longer than a ramp
        half = 0.5 * cadence_h
        seen = average_over_exposures(fgs1.window.features[:, :5], fgs1.centre_h, start_h=centre_h - half,
                                      end_h=centre_h + half)
        features = np.concatenate([seen, features], axis=1)
    edges = edges - edges[0]
    series = frames.columns if len(frames.columns) > len(edges) - 1 else trace.flux
    factor, explained = fit_jitter(series, features, edges=edges)
    return replace(trace, flux=trace.flux / factor(bin_mean(features, edges)), jitter_explained=float(explained.mean()))


def _assemble(files: VisitFiles, *, settings: DetectorSettings, bins: TimeBins, fgs1: _Fgs1 | None,
              airs: _Airs | None,
              wavelength_um: np.ndarray, missing: tuple[str, ...]) -> LightCurve:
    """Both sensors on the whole grid; NaN in a bin without a good exposure, and for a sensor that is lost."""
    empty = np.full(len(bins), np.nan)
    noted, info = list(missing), {}
    fgs1_flux = fgs1_err = empty
    airs_flux = airs_err = np.repeat(empty[:, None], N_AIRS_BINS, axis=1)
    if fgs1 is not None:
        fgs1_flux, fgs1_err, fgs1_info, counts = _bin_fgs1(fgs1, bins, settings=settings)
        noted += _bin_flags(FGS1, fgs1.flags, counts)
        info |= fgs1.info | fgs1_info
    if airs is not None:
        airs_flux, airs_err, airs_info = _bin_airs(airs)
        noted += _bin_flags(AIRS, airs.flags, airs.counts)
        info |= airs.info | airs_info
    flux = np.concatenate([fgs1_flux[:, None], airs_flux], axis=1)
    flux_err = np.concatenate([fgs1_err[:, None], airs_err], axis=1)
    known = np.isfinite(flux) & np.isfinite(flux_err)
    if not known.any() or np.isinf(flux).any():
        raise DataError("the light curve is not finite", where=files.label, expected="finite flux",
                        found=f"{int((~np.isfinite(flux)).sum())} NaN or infinite values",
                        fix="look at this visit's calibration files, or leave the planet out")
    flux, flux_err = np.where(known, flux, np.nan), np.where(known, flux_err, np.nan)
    return LightCurve(planet_id=files.planet_id, visit=files.visit, time=bins.centre_h,
                      flux=flux.astype(np.float32), flux_err=flux_err.astype(np.float32),
                      wavelength_um=np.asarray(wavelength_um, np.float64), exposure_h=float(bins.width_h),
                      flags=tuple(noted), info=info)


def _bin_flags(sensor: Instrument, noted: tuple[str, ...], counts: np.ndarray) -> list[str]:
    empty = int((counts == 0).sum())
    return list(noted) + ([flags.empty_bins(sensor.name, empty)] if empty else [])


def _bin_fgs1(fgs1: _Fgs1, bins: TimeBins, *,
              settings: DetectorSettings) -> tuple[np.ndarray, np.ndarray, dict[str, float], np.ndarray]:
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
        "fgs1_foreground_e": window.foreground, "fgs1_corner_star_light_e": window.corner_star_light,
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


def _bin_airs(airs: _Airs) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """(T, 282) flux and error in ascending wavelength, and figures."""
    trace, counts = airs.trace, airs.counts
    order = slice(None, None, -1) if AIRS.flipped else slice(None)
    flux = np.full((len(counts), trace.flux.shape[1]), np.nan)
    flux[counts > 0] = trace.flux[:, order]
    typical = float(np.median(counts[counts > 0]))
    predicted = trace.predicted_noise[order] / np.sqrt(typical)
    there = np.isfinite(flux).any(axis=0)
    white = flux[:, there].sum(axis=1)
    info = {
        "airs_exposures_per_bin": typical,
        "airs_foreground_e": float(trace.foreground.mean()),
        "airs_edge_star_light_e": float(trace.edge_star_light.mean()),
        "airs_jitter_explained": trace.jitter_explained,
        "airs_trace_row": float(trace.centroid.mean()), "airs_trace_row_rms": float(trace.centroid.std()),
        "airs_white_ppm": float(1e6 * measure_scatter(white[counts > 0]) / np.nanmean(white)),
        "airs_white_predicted_ppm": float(1e6 * np.sqrt((predicted[there] ** 2).sum()) / np.nanmean(white)),
    }
    return flux, measure_flux_err(flux, predicted, counts=counts), info
