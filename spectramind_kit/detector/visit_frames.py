"""The fast recipe: one sensor of one visit from file to calibrated exposures or bins, blocked, in float32."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.adc_info import AdcInfo, read_adc_info
from spectramind_kit.detector.axis_info import AxisInfo, read_axis_info
from spectramind_kit.detector.cosmic_rays import measure_pixel_scatter, replace_cosmic_rays
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.instrument import AIRS, Instrument
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.raw_visit import RawVisit, Sample, VisitSource, read_raw_visit
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.shared_tables import read_shared_tables
from spectramind_kit.detector.timing import bin_mean
from spectramind_kit.detector.trace_sums import TraceSums
from spectramind_kit.errors import DataError

_BLOCK_SAMPLES = 75_000  # raw samples in a block: 0.3 MB in float32, which stays in a core's second cache
_SHORTEST_BLOCK = 48  # exposures; cosmic rays need neighbours in time
_LOST_WINDOW = 0.5  # of the rectangle's pixels: with more of them bad there is no light curve


@dataclass(frozen=True)
class CalibratedFrames:
    """Calibrated exposures (or means over bins) of one sensor in one visit, bad pixels as they are."""

    flux: np.ndarray  # (N, G) float32 e⁻ per exposure of the selection's rectangle; no rows where projected
    rest: np.ndarray  # (P − G,) mean over the visit of the pixels beside it
    selection: PixelSelection
    bad: np.ndarray  # (P,) bool
    saturated: np.ndarray  # (P,) bool; these are bad too
    read_noise: np.ndarray  # (P,) σ per exposure, e⁻
    time_h: np.ndarray  # (N,) centres
    flags: tuple[str, ...]
    info: dict[str, float]
    projected: np.ndarray | None = None  # (N, K) the exposures times a matrix, where one was given
    # Of every exposure, where they were asked for: sums (exposures, C) of each column's trace, moments
    # (exposures, 3) along the rows (sum, first, second), and (C, 3) what one e⁻ per pixel adds to these.
    columns: np.ndarray | None = None
    moments: np.ndarray | None = None
    moments_per_pixel: np.ndarray | None = None

    @property
    def images(self) -> np.ndarray:
        """(N, rows, columns) of the rectangle."""
        return self.flux.reshape(-1, *self.selection.grid)


def calibrate_raw(
    raw: RawVisit,
    *,
    bin_edges: np.ndarray | None = None,
    sum_trace: bool = False,
    project: np.ndarray | None = None,
    sample: Sample | None = None,
) -> CalibratedFrames:
    """Calibrate block by block, replace cosmic rays, average over bins where ``bin_edges`` (T + 1,) is given.

    ``bin_edges`` count good exposures, and no bin is empty. Exposures behind the last edge are not used. With
    ``sum_trace`` the trace of every single exposure is summed too. With ``project`` (G, K) the exposures are
    multiplied by it and not kept. ``sample``: from `RawVisit.sample`, where the caller has it already.
    """
    edges = np.arange(raw.n_exposures + 1) if bin_edges is None else np.asarray(bin_edges)
    counts = np.diff(edges)
    if not (counts > 0).all():
        raise ValueError("every bin needs an exposure")
    sample = raw.sample() if sample is None else sample
    sums = TraceSums.plan(raw, sample) if sum_trace else None
    n_grid, even = raw.selection.n_grid, bool((counts == counts[0]).all())
    result = np.empty((len(counts), n_grid if project is None else project.shape[1]), np.float32)
    columns, moments, hits = [], [], 0
    for bins, exposures, replaced in _clean_blocks(raw, edges):
        hits += replaced
        if project is None:
            result[bins] = _bin_means(exposures, counts[bins], even=even)
        else:
            result[bins] = exposures @ project
        if sums is not None:
            columns.append(sums.columns(exposures))
            moments.append(sums.moments(exposures))
    flux = result if project is None else np.empty((0, n_grid), np.float32)
    frames = _finish(raw, flux, edges, sample, hits=hits)
    if project is not None:
        return replace(frames, projected=result)
    if sums is None:
        return frames
    series = {"columns": np.concatenate(columns), "moments": np.concatenate(moments)}
    return replace(frames, **series, moments_per_pixel=sums.per_pixel)


def _clean_blocks(raw: RawVisit, edges: np.ndarray) -> Iterator[tuple[slice, np.ndarray, int]]:
    """Bins, their calibrated exposures (n, G) and how many cosmic rays were replaced, block by block."""
    n_grid, count, n_exposures = raw.selection.n_grid, len(edges) - 1, int(edges[-1] - edges[0])
    block = raw.grid_block()
    scatter = measure_pixel_scatter(block, raw.n_exposures, read_noise=raw.pixels.read_noise[:n_grid])
    length = max(_SHORTEST_BLOCK, _BLOCK_SAMPLES // (2 * n_grid))
    n_blocks = min(max(1, n_exposures // length), count)
    starts = np.unique(np.linspace(0, count, n_blocks + 1).astype(int))  # of alike blocks: no short rest
    for a, b in itertools.pairwise(starts):
        exposures, hits = block(int(edges[a]), int(edges[b])), 0
        if raw.settings.cosmic_rays:
            hits = replace_cosmic_rays(exposures, scatter, sigma=raw.settings.cosmic_ray_sigma)
        yield slice(a, b), exposures, hits


def _bin_means(exposures: np.ndarray, counts: np.ndarray, *, even: bool) -> np.ndarray:
    """Means (T, G) over ``counts`` (T,) exposures each; ``even``: all bins of the visit have as many."""
    if len(exposures) == len(counts):
        return exposures
    if even:
        total = np.add.reduce(exposures.reshape(len(counts), counts[0], -1), axis=1)
        return total * np.float32(1.0 / counts[0])
    starts = np.cumsum(counts) - counts
    return np.add.reduceat(exposures, starts, axis=0) / counts[:, None]


def _finish(
    raw: RawVisit, flux: np.ndarray, edges: np.ndarray, sample: Sample, *, hits: int
) -> CalibratedFrames:
    instrument, bad = raw.selection.instrument, raw.pixels.bad | sample.saturated
    if bad[: raw.selection.n_grid].mean() > _LOST_WINDOW:
        raise DataError(
            "most pixels of the window are unusable",
            where=raw.where,
            expected="working pixels",
            found=f"{bad.mean():.0%} dead or saturated",
            fix="leave the planet out",
        )
    info = {
        "cosmic_rays": hits,
        "bad_pixels": raw.pixels.bad.sum(),
        "hot_pixels": raw.pixels.n_hot,
        "saturated_pixels": sample.saturated.sum(),
        "exposures": raw.n_exposures,
        "frames_lost": raw.exposures.lost_share,
        "dropped_exposures": sum(raw.check.reasons.values()),
    }
    return CalibratedFrames(
        flux=flux,
        rest=sample.mean[raw.beside],
        selection=raw.selection,
        bad=bad,
        saturated=sample.saturated,
        read_noise=raw.pixels.read_noise,
        time_h=bin_mean(raw.centre_h, edges),
        flags=raw.flags,
        info={f"{instrument.key}_{name}": float(value) for name, value in info.items()},
    )


def calibrate_visit(
    files: VisitFiles,
    instrument: Instrument = AIRS,
    *,
    settings: DetectorSettings | None = None,
    axis: AxisInfo | None = None,
    adc: AdcInfo | None = None,
    selection: PixelSelection | None = None,
    bin_edges: np.ndarray | None = None,
) -> CalibratedFrames:
    """Raw frames of one sensor in one visit → calibrated exposures, e⁻ (flat-fielded, foreground still in).

    Parameters
    ----------
    files : from `find_visits`.
    instrument : AIRS or FGS1.
    settings : by default those that measured best.
    axis, adc : tables of the data folder; read from it when not given.
    selection : pixels to use; by default those of the light curve. `all_pixels(instrument)` gives whole
        frames.
    bin_edges : (T + 1,) exposures at which bins begin; then the result holds means over the bins.

    Impossible exposures (`dead_time`) are not among the result, and ``bin_edges`` do not count them;
    ``time_h`` says which are there.

    Raises
    ------
    DataError
        A file of the visit is missing, damaged or of the wrong shape; the message says which and what to do.
    """
    data_dir = files.folder.parent.parent
    if axis is None and instrument == AIRS and selection is None:  # the columns that wavelengths.csv names
        tables = read_shared_tables(data_dir, adc=adc)
        axis, adc = tables.axis, adc or tables.adc
        instrument = tables.airs
    axis, adc = axis or read_axis_info(data_dir), adc or read_adc_info(data_dir)
    source = VisitSource(files, settings or DetectorSettings(), axis, adc)
    return calibrate_raw(read_raw_visit(source, instrument, selection=selection), bin_edges=bin_edges)
