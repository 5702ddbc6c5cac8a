"""The fast recipe: one sensor of one visit from file to calibrated exposures or bins, blocked, in float32."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.calibrate import (
    Expansion,
    PixelCalibration,
    calibrate_block,
    choose_adc_direction,
    expand_calibration,
    prepare_pixels,
)
from spectramind_kit.detector.calibration_set import CalibrationSet, read_calibration
from spectramind_kit.detector.cosmic_rays import measure_pixel_scatter, replace_cosmic_rays
from spectramind_kit.detector.dead_time import ExposureCheck, check_exposures
from spectramind_kit.detector.dispersion_fill import DispersionFill, too_wide_to_fill
from spectramind_kit.detector.frames import PixelSelection, read_frames, select_pixels
from spectramind_kit.detector.instrument import AIRS, FGS1, Instrument
from spectramind_kit.detector.layout import (
    AdcInfo,
    AxisInfo,
    VisitFiles,
    read_adc_info,
    read_axis_info,
    read_shared_tables,
)
from spectramind_kit.detector.optimal_weights import optimal_weights
from spectramind_kit.detector.read_order import put_in_step
from spectramind_kit.detector.saturation import find_saturated
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.spectral_axis import spectral_axis
from spectramind_kit.detector.timing import Exposures, find_exposures
from spectramind_kit.errors import DataError

_BLOCK_SAMPLES = 75_000  # raw samples in a block: 0.3 MB in float32, which stays in a core's second cache
_SHORTEST_BLOCK = 48  # exposures; cosmic rays need neighbours in time
_FEWEST_EXPOSURES = 8
_RANGE_EXPOSURES = 200  # that tell how far a pixel's counts go
_SAMPLE = {AIRS.name: 700, FGS1.name: 2000}  # exposures that give every pixel's mean to 0.4–0.7 e⁻


@dataclass(frozen=True)
class RawVisit:
    """Raw frames of one sensor with all that their calibration needs; impossible exposures are not among
    them."""

    adu: np.ndarray
    """(2N, P) integer counts of the selected pixels in the good exposures."""
    selection: PixelSelection
    pixels: PixelCalibration
    expansion: Expansion
    exposures: Exposures
    """All exposures of the visit, the impossible ones too."""
    check: ExposureCheck
    calibration: CalibrationSet
    flags: tuple[str, ...]
    label: str

    @property
    def n_exposures(self) -> int:
        """Good ones."""
        return len(self.adu) // 2

    @property
    def centre_h(self) -> np.ndarray:
        """(N,) times of the good exposures."""
        return self.exposures.centre_h[self.check.good]

    def grid_block(self) -> Callable[[int, int], np.ndarray]:
        """A function (start, stop) → calibrated exposures of the rectangle's pixels, (n, G) float32."""
        n = self.selection.n_grid
        expansion = self.expansion.part(slice(0, n))
        return lambda start, stop: calibrate_block(self.adu[2 * start : 2 * stop, :n], expansion)

    def sample(self) -> tuple[np.ndarray, np.ndarray]:
        """(P,) mean over the visit of every selected pixel, and which pixels are saturated, from 700
        (AIRS-CH0) or 2,000 (FGS1) of the exposures.

        The mean is the median of the means of 25 stretches: a cosmic ray spoils one stretch.
        """
        adu = _every(self.adu, _SAMPLE[self.selection.instrument.name])
        saturated = find_saturated(adu, self.pixels)
        parts = np.array_split(np.arange(len(adu) // 2), min(25, len(adu) // 2))
        means = [
            calibrate_block(adu[2 * part[0] : 2 * part[-1] + 2], self.expansion).mean(axis=0)
            for part in parts
        ]
        return np.median(means, axis=0).astype(np.float64), saturated


@dataclass(frozen=True)
class CalibratedFrames:
    """Calibrated exposures (or means over bins of them) of one sensor in one visit.

    flux (N, G) float32 e⁻ per exposure of the selection's rectangle, bad pixels as they are · rest (P − G,)
    mean over the visit of the pixels beside it · bad (P,), saturated (P,), which are bad too · read_noise
    (P,) σ per exposure, e⁻ · time_h (N,) centres · columns (exposures, C) sums over the good pixels of each
    column's trace, and moments (exposures, 3) of the trace along the rows (sum, first, second), of every
    exposure, where bins were made and they were asked for · projected (N, K) the exposures times a matrix,
    where one was given: then flux has no rows.
    """

    flux: np.ndarray
    rest: np.ndarray
    selection: PixelSelection
    bad: np.ndarray
    saturated: np.ndarray
    read_noise: np.ndarray
    time_h: np.ndarray
    flags: tuple[str, ...]
    info: dict[str, float]
    projected: np.ndarray | None = None
    columns: np.ndarray | None = None
    moments: np.ndarray | None = None
    moments_per_pixel: np.ndarray | None = None
    """(C, 3): what one e⁻ in every pixel of a column adds to the moments."""

    @property
    def images(self) -> np.ndarray:
        """(N, rows, columns) of the rectangle."""
        return self.flux.reshape(-1, *self.selection.grid)


def read_raw_visit(
    files: VisitFiles,
    instrument: Instrument,
    *,
    settings: DetectorSettings,
    axis: AxisInfo,
    adc: AdcInfo,
    selection: PixelSelection | None = None,
) -> RawVisit:
    """Read the frames and the calibration set of one sensor.

    Raises
    ------
    DataError
        Anything that the files should not be; the message names planet, visit and file.
    """
    selection = selection or select_pixels(instrument, settings)
    calibration = read_calibration(files, instrument)
    adu = read_frames(files.signal(instrument), selection, reader=settings.reader)
    order = put_in_step(adu, most=len(axis.time_h(instrument)) // 2)
    adu = order.adu
    exposures, noted = find_exposures(axis, instrument, len(adu), settings=settings, where=files.label)
    if order.first_lost is not None:
        noted.append(flags.out_of_step(instrument.name, order.first_lost))
    adu = adu[: 2 * len(exposures)]
    check = check_exposures(adu, ignore_last=settings.drop_last)
    if check.good.sum() < _FEWEST_EXPOSURES:
        raise DataError(
            "no usable exposures",
            where=f"{files.label}, {instrument.name}",
            expected=f"{_FEWEST_EXPOSURES} or more",
            found=flags.dropped_exposures(instrument.name, check.reasons) if check.reasons else "none",
            fix="copy the signal file again, or leave the planet out",
        )
    if not check.good.all():
        adu = adu.reshape(len(exposures), 2, -1)[check.good].reshape(-1, adu.shape[1])
    if check.reasons:
        noted.append(flags.dropped_exposures(instrument.name, check.reasons))
    if check.repeats:
        noted.append(flags.repeating_frames(instrument.name, check.repeats))
    direction = settings.adc_direction
    adc = adc.of(files.planet_id)
    gain, offset = adc.gain(instrument), adc.offset(instrument)
    if direction == "auto":
        direction = choose_adc_direction(adu[:64:2, _unlit(selection)], gain=gain, offset=offset)
        if direction == "multiply":
            noted.append(flags.adc_multiplied(instrument.name))
    pixels = prepare_pixels(
        calibration,
        selection,
        gain=gain,
        offset=offset,
        direction=direction,
        dark_time_s=exposures.dark_time_s,
        settings=settings,
    )
    if check.stuck:  # a pixel without charge instead
        adu = adu.copy() if not adu.flags.writeable else adu
        adu[0::2] = max(0, round(-float(pixels.offset) / float(pixels.factor)))
        noted.append(flags.stuck_first_reads(instrument.name))
    expansion = expand_calibration(_every(adu, _RANGE_EXPOSURES), pixels)
    return RawVisit(
        adu=adu,
        selection=selection,
        pixels=pixels,
        expansion=expansion,
        exposures=exposures,
        check=check,
        calibration=calibration,
        flags=tuple(noted),
        label=files.label,
    )


def calibrate_raw(
    raw: RawVisit,
    *,
    settings: DetectorSettings,
    bin_edges: np.ndarray | None = None,
    trace_rows: tuple[int, int] | None = None,
    project: np.ndarray | None = None,
    sample: tuple[np.ndarray, np.ndarray] | None = None,
) -> CalibratedFrames:
    """Calibrate block by block, replace cosmic rays, and average over bins where ``bin_edges`` (T + 1,) is
    given.

    ``bin_edges`` count good exposures, and no bin is empty. Exposures behind the last edge are not used. With
    ``trace_rows`` (detector rows, half open) the trace of every single exposure is summed too: what the
    jitter model looks at. With ``project`` (G, K) the exposures are multiplied by it and not kept.
    ``sample``: from `RawVisit.sample`, where the caller has it already.
    """
    n_pixels = raw.selection.n_grid
    edges = np.arange(raw.n_exposures + 1) if bin_edges is None else np.asarray(bin_edges)
    counts, first = np.diff(edges), int(edges[0])
    if not (counts > 0).all():
        raise ValueError("every bin needs an exposure")
    count, n_exposures, even = len(counts), int(edges[-1]) - first, bool((counts == counts[0]).all())
    flux = np.empty((count if project is None else 0, n_pixels), np.float32)
    projected = None if project is None else np.empty((count, project.shape[1]), np.float32)
    block = raw.grid_block()
    mean, saturated = sample if sample is not None else raw.sample()
    scatter = measure_pixel_scatter(block, raw.n_exposures, read_noise=raw.pixels.read_noise[:n_pixels])
    hits = 0
    length = max(_SHORTEST_BLOCK, _BLOCK_SAMPLES // (2 * n_pixels))
    n_blocks = max(1, n_exposures // length)
    trace = (
        _TraceSums(
            raw,
            mean[:n_pixels],
            saturated[:n_pixels],
            trace_rows,
            n_exposures,
            optimal=settings.airs_extraction == "optimal",
        )
        if trace_rows
        else None
    )
    # even blocks: no short rest
    blocks = np.unique(np.linspace(0, count, min(n_blocks, count) + 1).astype(int))
    for a, b in itertools.pairwise(blocks):
        start, stop = int(edges[a]), int(edges[b])
        exposures = block(start, stop)
        if settings.cosmic_rays:
            hits += replace_cosmic_rays(exposures, scatter, sigma=settings.cosmic_ray_sigma)
        if projected is not None:
            np.matmul(exposures, project, out=projected[a:b])
        elif len(exposures) == b - a:
            flux[a:b] = exposures
        elif even:
            np.add.reduce(exposures.reshape(b - a, counts[0], n_pixels), axis=1, out=flux[a:b])
            flux[a:b] *= np.float32(1.0 / counts[0])
        else:
            flux[a:b] = np.add.reduceat(exposures, edges[a:b] - start, axis=0) / counts[a:b, None]
        if trace is not None:
            trace.add(exposures, slice(start - first, stop - first))
    frames = _finish(raw, flux, edges=edges, hits=hits, rest=mean[n_pixels:], saturated=saturated)
    frames = replace(frames, projected=projected)
    if trace is None:
        return frames
    return replace(frames, columns=trace.columns, moments=trace.moments, moments_per_pixel=trace.per_column)


class _TraceSums:
    """Sums over the trace of every exposure, bad pixels filled, taken while its block is in the cache."""

    def __init__(
        self,
        raw: RawVisit,
        mean: np.ndarray,
        saturated: np.ndarray,
        trace_rows: tuple[int, int],
        n_exposures: int,
        *,
        optimal: bool,
    ):
        rows, columns = raw.selection.grid
        row = raw.selection.row[: rows * columns].astype(np.float64)
        dead = raw.pixels.bad[: rows * columns] | saturated
        lit = (row >= trace_rows[0]) & (row < trace_rows[1])
        in_grid = lit.reshape(rows, columns)[:, 0]
        self.rows = slice(int(in_grid.argmax()), int(in_grid.argmax() + in_grid.sum()))
        self.shape = rows, columns
        bad = dead.reshape(self.shape)[self.rows]
        self.bad = np.nonzero(bad)
        dropped = too_wide_to_fill(saturated.reshape(self.shape)[self.rows])
        self.kept = None if not dropped.any() else (~dropped[self.bad]).astype(np.float32)
        self.fill = DispersionFill.plan(mean.reshape(self.shape)[self.rows], bad) if bad.any() else None
        self.row_weights = None
        if optimal:  # the response to pointing depends on the weights, so these sums take those of the trace
            image = mean.reshape(self.shape)[self.rows].copy()
            if self.fill is not None:
                image[self.bad] = self.fill.values(image[None].astype(np.float32))[0]
            noise = raw.pixels.read_noise[: rows * columns].reshape(self.shape)[self.rows]
            self.row_weights = optimal_weights(
                image, np.maximum(image, 0.0) + noise.astype(np.float64) ** 2
            ).astype(np.float32)
        used = (lit & ~dead).astype(np.float64)
        offset = row - 0.5 * (trace_rows[0] + trace_rows[1] - 1)
        self.weights = np.stack([used, used * offset, used * offset**2], axis=1).astype(np.float32)
        self.per_column = self.weights.reshape(rows, columns, 3).sum(axis=0, dtype=np.float64)
        self.columns = np.empty((n_exposures, columns), np.float32)
        self.moments = np.empty((n_exposures, 3), np.float32)

    def add(self, exposures: np.ndarray, part: slice) -> None:
        images = exposures.reshape(-1, *self.shape)[:, self.rows]
        sums = (
            images.sum(axis=1)
            if self.row_weights is None
            else np.einsum("trc,rc->tc", images, self.row_weights)
        )
        if self.fill is not None:
            difference = self.fill.values(images)
            if self.kept is not None:
                difference *= self.kept
            difference -= images[:, self.bad[0], self.bad[1]]
            if self.row_weights is not None:
                difference *= self.row_weights[self.bad]
            np.add.at(sums, (slice(None), self.bad[1]), difference)
        self.columns[part] = sums
        self.moments[part] = exposures @ self.weights


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
    """Raw frames of one sensor in one visit → calibrated exposures, e⁻ (flat-fielded, before foreground and
    summing).

    Parameters
    ----------
    files : VisitFiles
        From `find_visits`.
    instrument : AIRS or FGS1.
    settings : DetectorSettings, optional.
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
    settings = settings or DetectorSettings()
    data_dir = files.folder.parent.parent
    if axis is None and instrument == AIRS and selection is None:  # the columns that wavelengths.csv names
        tables = read_shared_tables(data_dir, adc=adc)
        axis, adc = tables.axis, adc or tables.adc
        instrument = spectral_axis(axis.airs_wavelength_um, tables.wavelength_um).airs
    raw = read_raw_visit(
        files,
        instrument,
        settings=settings,
        axis=axis or read_axis_info(data_dir),
        adc=adc or read_adc_info(data_dir),
        selection=selection,
    )
    return calibrate_raw(raw, settings=settings, bin_edges=bin_edges)


def _every(adu: np.ndarray, count: int) -> np.ndarray:
    """Raw frames of about ``count`` exposures spread over the visit."""
    n = len(adu) // 2
    chosen = np.arange(0, n, max(1, n // count))
    return adu[np.stack([2 * chosen, 2 * chosen + 1], axis=1).ravel()]


def _unlit(selection: PixelSelection) -> np.ndarray:
    """Pixels that the star lights least: rows at the edge (AIRS-CH0), corner squares (FGS1), else all."""
    if selection.instrument.name == FGS1.name:
        corners = np.arange(selection.grid[0] * selection.grid[1], len(selection))
        return corners if len(corners) else np.arange(len(selection))
    edge = (selection.row < 2) | (selection.row >= selection.instrument.rows - 2)
    return np.flatnonzero(edge) if edge.any() else np.arange(len(selection))


def _finish(
    raw: RawVisit, flux: np.ndarray, *, edges: np.ndarray, hits: int, rest: np.ndarray, saturated: np.ndarray
) -> CalibratedFrames:
    name = raw.selection.instrument.name
    bad = raw.pixels.bad | saturated
    if bad[: raw.selection.n_grid].mean() > 0.5:
        raise DataError(
            "most pixels of the window are unusable",
            where=f"{raw.label}, {name}",
            expected="working pixels",
            found=f"{bad.mean():.0%} dead or saturated",
            fix="leave the planet out",
        )
    key = "fgs1" if name == FGS1.name else "airs"
    info = {
        f"{key}_cosmic_rays": float(hits),
        f"{key}_bad_pixels": float(raw.pixels.bad.sum()),
        f"{key}_hot_pixels": float(raw.pixels.n_hot),
        f"{key}_saturated_pixels": float(saturated.sum()),
        f"{key}_exposures": float(raw.n_exposures),
        f"{key}_frames_lost": raw.exposures.lost_share,
        f"{key}_dropped_exposures": float(sum(raw.check.reasons.values())),
    }
    time = np.add.reduceat(raw.centre_h[: edges[-1]], edges[:-1]) / np.diff(edges)
    return CalibratedFrames(
        flux=flux,
        rest=rest,
        selection=raw.selection,
        bad=bad,
        saturated=saturated,
        read_noise=raw.pixels.read_noise,
        time_h=time,
        flags=raw.flags,
        info=info,
    )
