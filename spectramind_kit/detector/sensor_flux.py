"""One sensor of one visit, from its files to a flux: FGS1 per exposure, AIRS-CH0 per time bin and
wavelength."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.changing_foreground import levels_beside, trace_variation, window_variation
from spectramind_kit.detector.instrument import FGS1, Instrument
from spectramind_kit.detector.jitter import WindowFlux, average_over_exposures, fit_jitter, plan_window
from spectramind_kit.detector.layout import AdcInfo, AxisInfo, VisitFiles
from spectramind_kit.detector.lone_pixels import find_lone_corners, find_lone_pixels
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import Exposures, TimeBins, bin_mean, kept_edges, make_time_bins
from spectramind_kit.detector.trace import Trace, extract_trace
from spectramind_kit.detector.visit_frames import CalibratedFrames, RawVisit, calibrate_raw, read_raw_visit
from spectramind_kit.errors import DataError

_FOREGROUND_SEGMENTS = 187
_LOST_COLUMN, _LOST_SENSOR = 0.85, 0.8  # share of the light in saturated pixels: docs/decisions.md D41
# of one exposure; real stars: thousands (AIRS-CH0), a hundred and more (FGS1)
_STAR_OVER_NOISE = 3.0


@dataclass(frozen=True)
class Fgs1Flux:
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
class AirsFlux:
    """What AIRS-CH0 gives: ``trace`` of the bins that have an exposure, counts (T,) of good exposures in all
    bins."""

    trace: Trace
    counts: np.ndarray
    flags: tuple[str, ...]
    info: dict[str, float]


def read_fgs1(files: VisitFiles, *, settings: DetectorSettings, axis: AxisInfo, adc: AdcInfo) -> Fgs1Flux:
    raw = read_raw_visit(files, FGS1, settings=settings, axis=axis, adc=adc)
    sample = raw.sample()
    mean, saturated = sample
    n_grid = raw.selection.n_grid
    # before the saturated ones, of whose share of the light they would make too much
    raw = _without_lone_pixels(raw, mean)
    share = _saturated_share(mean[:n_grid], saturated[:n_grid], raw.pixels.bad[:n_grid])
    _check_saturation(raw, share)
    plan = plan_window(
        raw.selection,
        mean,
        bad=raw.pixels.bad | saturated,
        read_noise=raw.pixels.read_noise,
        settings=settings,
    )
    frames = calibrate_raw(raw, settings=settings, project=plan.projection, sample=sample)
    window = plan.apply(frames.projected)
    noted = list(frames.flags) + _saturation_flags(FGS1, saturated, share)
    level = float(window.flux.mean())
    if not level > _STAR_OVER_NOISE * window.predicted_noise:
        raise _no_star(raw, level)
    beside = slice(n_grid, len(raw.selection))
    if settings.foreground != "off" and beside.start < beside.stop:
        levels = levels_beside(
            raw.adu, beside, bad=raw.pixels.bad, electrons_per_count=float(raw.pixels.factor)
        )
        variation = window_variation(
            levels, window.flux, star_light=window.corner_star_light, segments=_FOREGROUND_SEGMENTS
        )
        if variation is not None:
            window = plan.apply(frames.projected, variation=variation)
            noted.append(flags.foreground_varies(FGS1.name, float(np.ptp(variation))))
    info = dict(frames.info) | {"fgs1_saturated_share": share}
    return Fgs1Flux(
        window=window, exposures=raw.exposures, good=raw.check.good, flags=tuple(noted), info=info
    )


def read_airs(
    files: VisitFiles,
    fgs1: Fgs1Flux | None,
    lost: dict[str, DataError],
    *,
    settings: DetectorSettings,
    axis: AxisInfo,
    adc: AdcInfo,
    instrument: Instrument,
) -> tuple[AirsFlux, TimeBins]:
    """AIRS-CH0 (``instrument``: with the cut of this copy's tables) on the grid of both sensors. ``lost``
    gets FGS1 where its exposures do not fit to these."""
    raw = read_raw_visit(files, instrument, settings=settings, axis=axis, adc=adc)
    bins = _bins_of_both(raw.exposures, fgs1, lost, settings=settings, where=files.label)
    if bins.fgs1 is None:
        fgs1 = None
    edges = kept_edges(bins.airs, raw.check.good)
    counts, filled = np.diff(edges), np.unique(edges)
    if len(filled) < 2:
        raise DataError(
            "no usable exposures",
            where=f"{raw.label}, {instrument.name}",
            expected="some in the time bins",
            found="none",
            fix="copy the signal file again, or leave the planet out",
        )
    sample = raw.sample()
    raw = _without_lone_pixels(raw, sample[0])
    frames = calibrate_raw(
        raw,
        settings=settings,
        bin_edges=filled,
        sample=sample,
        trace_rows=settings.airs_rows if settings.airs_jitter else None,
    )
    trace = extract_trace(frames, settings=settings)
    saturated = sample[1]
    n_grid = raw.selection.n_grid
    share = _saturated_share(sample[0][:n_grid], saturated[:n_grid], raw.pixels.bad[:n_grid])
    _check_saturation(raw, share)
    noted = list(frames.flags) + _saturation_flags(instrument, saturated, share)
    white = trace.flux.sum(axis=1, dtype=np.float64)
    if not white.mean() > _STAR_OVER_NOISE * np.sqrt(float((trace.predicted_noise**2).sum())):
        raise _no_star(raw, float(white.mean()))
    if settings.foreground != "off":
        variation = trace_variation(raw, filled, white / white.mean(), star_light=trace.edge_star_light)
        if variation is not None:
            trace = replace(trace, flux=trace.flux - (variation * trace.per_pixel).astype(np.float32))
            if frames.moments is not None:  # light in all rows would pass for a trace that widens
                changed = np.repeat(variation @ frames.moments_per_pixel, np.diff(filled), axis=0)
                frames = replace(frames, moments=frames.moments - changed.astype(np.float32))
            noted.append(flags.foreground_varies(instrument.name, float(np.ptp(variation.mean(axis=1)))))
    centre, cadence = raw.centre_h[filled[0] : filled[-1]], raw.exposures.cadence_h
    del raw  # what follows needs memory of its own
    if settings.airs_jitter:
        trace = _remove_airs_jitter(trace, frames, filled, centre, cadence, fgs1)
    gone = trace.saturated_share > _LOST_COLUMN
    if gone.any():
        trace = replace(trace, flux=np.where(gone, np.float32(np.nan), trace.flux))
        noted.append(flags.lost_columns(instrument.name, int(gone.sum())))
    return AirsFlux(
        trace=trace,
        counts=counts,
        flags=tuple(noted),
        info=dict(frames.info) | {"airs_saturated_share": share},
    ), bins


def _bins_of_both(
    airs: Exposures,
    fgs1: Fgs1Flux | None,
    lost: dict[str, DataError],
    *,
    settings: DetectorSettings,
    where: str,
) -> TimeBins:
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


def _without_lone_pixels(raw: RawVisit, mean: np.ndarray) -> RawVisit:
    """With those pixels among the bad ones that shine by themselves; mean (P,) over the visit."""
    n_grid, bad, sensor = raw.selection.n_grid, raw.pixels.bad, raw.selection.instrument.name
    lone = np.zeros(len(mean), bool)
    lone[:n_grid] = find_lone_pixels(
        mean[:n_grid], raw.selection.grid, bad=bad[:n_grid], by_column=sensor != FGS1.name
    )
    if sensor == FGS1.name:
        lone[n_grid:] = find_lone_corners(mean[n_grid:], bad=bad[n_grid:])
    if not lone.any():
        return raw
    return replace(
        raw,
        pixels=replace(raw.pixels, bad=bad | lone),
        flags=(*raw.flags, flags.lone_pixels(sensor, int(lone.sum()))),
    )


def _saturated_share(mean: np.ndarray, saturated: np.ndarray, bad: np.ndarray) -> float:
    """At least this part of the light fell into saturated pixels: they hold less than they received."""
    light = np.where(bad, 0.0, np.maximum(mean, 0.0))
    return float(light[saturated].sum() / max(float(light.sum()), 1e-12))


def _saturation_flags(sensor: Instrument, saturated: np.ndarray, share: float) -> list[str]:
    return [flags.saturated_pixels(sensor.name, int(saturated.sum()), share)] if saturated.any() else []


def _check_saturation(raw: RawVisit, share: float) -> None:
    if share > _LOST_SENSOR:
        raise _saturated(raw, share)


def _saturated(raw: RawVisit, share: float) -> DataError:
    return DataError(
        "the star saturates the sensor",
        where=f"{raw.label}, {raw.selection.instrument.name}",
        expected="light in good pixels",
        found=f"{share:.0%} of it in saturated ones",
        fix="nothing; the other sensor is used",
    )


def _no_star(raw: RawVisit, level: float) -> DataError:
    return DataError(
        "there is no star in the frames",
        where=f"{raw.label}, {raw.selection.instrument.name}",
        expected="a flux well above its noise",
        found=f"{level:.3g} e⁻ per exposure",
        fix="look at adc_info.csv (data.adc_direction) and at this visit's files",
    )


def _remove_airs_jitter(
    trace: Trace,
    frames: CalibratedFrames,
    edges: np.ndarray,
    centre_h: np.ndarray,
    cadence_h: float,
    fgs1: Fgs1Flux | None,
) -> Trace:
    """Divide the response of each wavelength to pointing out of the binned trace.

    FGS1 knows the pointing along the dispersion far better than the spectrum itself does; across it, the
    trace's own centroid is the better gauge, and is kept beside FGS1's for a pointing that the two do not
    share. ``edges``: of the filled bins; ``centre_h``: of their exposures.
    """
    total = frames.moments[:, 0].astype(np.float64)
    centroid = frames.moments[:, 1] / total
    width = frames.moments[:, 2] / total - centroid**2
    features = np.stack([centroid, width], axis=1)
    if fgs1 is not None:
        # half a cadence to both sides, not the ramp: frames that were co-added before they were stored last
        # longer than a ramp
        half = 0.5 * cadence_h
        seen = average_over_exposures(
            fgs1.window.features[:, :5], fgs1.centre_h, start_h=centre_h - half, end_h=centre_h + half
        )
        features = np.concatenate([seen, features], axis=1)
    edges = edges - edges[0]
    series = frames.columns if len(frames.columns) > len(edges) - 1 else trace.flux
    factor, explained = fit_jitter(series, features, edges=edges)
    return replace(
        trace, flux=trace.flux / factor(bin_mean(features, edges)), jitter_explained=float(explained.mean())
    )
