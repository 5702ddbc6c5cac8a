"""AIRS-CH0 of one visit, from its files to a flux per time bin and wavelength."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.changing_foreground import trace_variation
from spectramind_kit.detector.fgs1_flux import Fgs1Flux
from spectramind_kit.detector.file_errors import COPY_SIGNAL
from spectramind_kit.detector.foreground import trace_foreground
from spectramind_kit.detector.instrument import Instrument
from spectramind_kit.detector.jitter import average_over_exposures, fit_jitter
from spectramind_kit.detector.light_beside import columns_beside
from spectramind_kit.detector.raw_visit import VisitSource, read_raw_visit
from spectramind_kit.detector.star_light import measure_saturation, require_star, without_lone_pixels
from spectramind_kit.detector.timing import Exposures, TimeBins, bin_mean, kept_edges, make_time_bins
from spectramind_kit.detector.trace import Trace, extract_trace
from spectramind_kit.detector.visit_frames import CalibratedFrames, calibrate_raw
from spectramind_kit.errors import DataError

_LOST_COLUMN = 0.85  # share of the light in saturated pixels (docs/decisions.md D41)
_FGS1_FEATURES = 5  # offsets and their products; its higher moments say nothing about AIRS-CH0


@dataclass(frozen=True)
class AirsFlux:
    """What AIRS-CH0 gives, on the grid of both sensors."""

    trace: Trace  # of the bins that have an exposure
    bins: TimeBins
    counts: np.ndarray  # (T,) good exposures in all bins
    fgs1_error: DataError | None  # why FGS1's exposures do not fit to these
    flags: tuple[str, ...]
    info: dict[str, float]


def read_airs(source: VisitSource, fgs1: Fgs1Flux | None, *, instrument: Instrument) -> AirsFlux:
    """``instrument``: AIRS-CH0 with the cut of this copy's tables.

    Raises DataError where the files, or the light in them, cannot be used.
    """
    settings = source.settings
    raw = read_raw_visit(source, instrument)
    bins, fgs1_error = _bins_of_both(raw.exposures, fgs1, source)
    edges = kept_edges(bins.airs, raw.check.good)
    counts, filled = np.diff(edges), np.unique(edges)
    if len(filled) < 2:
        what, expected = "no usable exposures", "some in the time bins"
        raise DataError(what, where=raw.where, expected=expected, found="none", fix=COPY_SIGNAL)
    sample = raw.sample()
    raw = without_lone_pixels(raw, sample.mean)
    frames = calibrate_raw(raw, bin_edges=filled, sample=sample, sum_trace=settings.airs_jitter)
    beside = None if settings.foreground == "off" else columns_beside(raw, filled)
    column_um = source.axis.airs_wavelength_um[instrument.cut]
    foreground = trace_foreground(frames, beside, wavelength_um=column_um, kind=settings.foreground)
    trace = extract_trace(frames, foreground, settings=settings)
    share, noted = measure_saturation(raw, sample)
    white = trace.flux.sum(axis=1, dtype=np.float64)
    require_star(raw, float(white.mean()), noise=np.sqrt(float((trace.predicted_noise**2).sum())))
    variation = None
    if beside is not None:
        variation = trace_variation(beside, white / white.mean(), star_light=trace.edge_star_light)
    if variation is not None:
        trace, frames = _subtract(variation, trace, frames, filled)
        noted.append(flags.foreground_varies(instrument.name, float(np.ptp(variation.mean(axis=1)))))
    centre, cadence = raw.centre_h[filled[0] : filled[-1]], raw.exposures.cadence_h
    del raw  # what follows needs memory of its own
    if settings.airs_jitter:
        seen = None
        if fgs1 is not None and fgs1_error is None:
            # half a cadence to both sides, not the ramp: frames that were co-added last longer than a ramp
            seen = _pointing(fgs1, centre - 0.5 * cadence, centre + 0.5 * cadence)
        trace = _remove_jitter(trace, frames, filled, seen)
    gone = trace.saturated_share > _LOST_COLUMN
    if gone.any():
        trace = replace(trace, flux=np.where(gone, np.float32(np.nan), trace.flux))
        noted.append(flags.lost_columns(instrument.name, int(gone.sum())))
    info = frames.info | {"airs_saturated_share": share}
    return AirsFlux(trace, bins, counts, fgs1_error, (*frames.flags, *noted), info)


def _bins_of_both(
    airs: Exposures, fgs1: Fgs1Flux | None, source: VisitSource
) -> tuple[TimeBins, DataError | None]:
    """One grid for both sensors; AIRS-CH0's own where FGS1 is lost, or was read at another time, and why."""
    given, error = {"settings": source.settings, "where": source.files.label}, None
    if fgs1 is not None:
        try:
            return make_time_bins(airs, fgs1.exposures, **given), None
        except DataError as caught:
            error = caught
    return make_time_bins(airs, None, **given), error  # raises where the bins are at fault


def _subtract(
    variation: np.ndarray, trace: Trace, frames: CalibratedFrames, edges: np.ndarray
) -> tuple[Trace, CalibratedFrames]:
    """Without the ``variation`` (T, C) of the foreground, e⁻ per pixel."""
    trace = replace(trace, flux=trace.flux - (variation * trace.per_pixel).astype(np.float32))
    if frames.moments is not None:  # light in all rows would pass for a trace that widens
        changed = np.repeat(variation @ frames.moments_per_pixel, np.diff(edges), axis=0)
        frames = replace(frames, moments=frames.moments - changed.astype(np.float32))
    return trace, frames


def _pointing(fgs1: Fgs1Flux, start_h: np.ndarray, end_h: np.ndarray) -> np.ndarray:
    """(N, 5) what FGS1 saw of the pointing during each exposure."""
    features = fgs1.window.features[:, :_FGS1_FEATURES]
    return average_over_exposures(features, fgs1.centre_h, start_h=start_h, end_h=end_h)


def _remove_jitter(
    trace: Trace, frames: CalibratedFrames, edges: np.ndarray, seen: np.ndarray | None
) -> Trace:
    """Divide the response of each wavelength to pointing out of the binned trace.

    FGS1 knows the pointing along the dispersion far better than the spectrum itself does (``seen``, of each
    exposure); across it, the trace's own centroid is the better gauge, and is kept beside FGS1's for a
    pointing that the two do not share. ``edges``: of the filled bins.
    """
    # without the foreground: it does not dip, so the trace would seem to widen in a transit, and each column
    # would lose as much of its depth as its noise happens to look like a width
    moments = frames.moments - trace.foreground @ frames.moments_per_pixel
    total = moments[:, 0].astype(np.float64)
    centroid = moments[:, 1] / total
    width = moments[:, 2] / total - centroid**2
    features = np.stack([centroid, width], axis=1)
    if seen is not None:
        features = np.concatenate([seen, features], axis=1)
    edges = edges - edges[0]
    series = frames.columns if len(frames.columns) > len(edges) - 1 else trace.flux
    factor, explained = fit_jitter(series, features, edges=edges)
    flux = trace.flux / factor(bin_mean(features, edges))
    return replace(trace, flux=flux, jitter_explained=float(explained.mean()))
