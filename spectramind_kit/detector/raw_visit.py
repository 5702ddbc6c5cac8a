"""One sensor of one visit as it is read: frames in order, exposures that are possible, calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.adc_info import AdcInfo
from spectramind_kit.detector.axis_info import AxisInfo
from spectramind_kit.detector.calibrate import choose_adc_direction
from spectramind_kit.detector.calibration_set import read_calibration
from spectramind_kit.detector.dead_time import ExposureCheck, check_exposures
from spectramind_kit.detector.expansion import Expansion, calibrate_block, expand_calibration
from spectramind_kit.detector.file_errors import COPY_SIGNAL
from spectramind_kit.detector.frames import PixelSelection, read_frames, select_pixels
from spectramind_kit.detector.instrument import AIRS, FGS1, Instrument
from spectramind_kit.detector.layout import VisitFiles
from spectramind_kit.detector.pixel_calibration import PixelCalibration, prepare_pixels
from spectramind_kit.detector.raw_counts import every
from spectramind_kit.detector.read_order import put_in_step
from spectramind_kit.detector.saturation import find_saturated
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.detector.timing import Exposures, find_exposures
from spectramind_kit.errors import DataError

_FEWEST_EXPOSURES = 8
_RANGE_EXPOSURES = 200  # that tell how far a pixel's counts go
_SAMPLE = {AIRS.name: 700, FGS1.name: 2000}  # exposures that give every pixel's mean to 0.4–0.7 e⁻
_STRETCHES = 25  # of the sample: a cosmic ray spoils the mean of one
_UNLIT_FRAMES = 64  # from the start of the visit, whose first reads tell the converter's direction


@dataclass(frozen=True)
class VisitSource:
    """What a visit is read from, and how."""

    files: VisitFiles
    settings: DetectorSettings
    axis: AxisInfo
    adc: AdcInfo


@dataclass(frozen=True)
class Sample:
    """Every selected pixel as part of the exposures show it."""

    mean: np.ndarray  # (P,) e⁻ per exposure
    saturated: np.ndarray  # (P,) bool


@dataclass(frozen=True)
class RawVisit:
    """Raw frames of one sensor with all that their calibration needs, without the impossible exposures."""

    adu: np.ndarray  # (2N, P) integer counts of the selected pixels in the good exposures
    selection: PixelSelection
    pixels: PixelCalibration
    expansion: Expansion
    exposures: Exposures  # all of the visit, the impossible ones too
    check: ExposureCheck
    settings: DetectorSettings
    flags: tuple[str, ...]
    label: str  # of the visit

    @property
    def where(self) -> str:
        """Visit and sensor, for messages."""
        return f"{self.label}, {self.selection.instrument.name}"

    @property
    def n_exposures(self) -> int:
        """Good ones."""
        return len(self.adu) // 2

    @property
    def centre_h(self) -> np.ndarray:
        """(N,) times of the good exposures."""
        return self.exposures.centre_h[self.check.good]

    @property
    def beside(self) -> slice:
        """The pixels that are read beside the rectangle."""
        return slice(self.selection.n_grid, len(self.selection))

    def grid_block(self) -> Callable[[int, int], np.ndarray]:
        """A function (start, stop) → calibrated exposures of the rectangle's pixels, (n, G) float32."""
        n = self.selection.n_grid
        expansion = self.expansion.part(slice(0, n))
        return lambda start, stop: calibrate_block(self.adu[2 * start : 2 * stop, :n], expansion)

    def sample(self) -> Sample:
        """From 700 (AIRS-CH0) or 2,000 (FGS1) exposures; the mean is the median of those of 25 stretches."""
        adu = every(self.adu, _SAMPLE[self.selection.instrument.name])
        saturated = find_saturated(adu, self.pixels)
        parts = np.array_split(np.arange(len(adu) // 2), min(_STRETCHES, len(adu) // 2))
        blocks = [adu[2 * part[0] : 2 * part[-1] + 2] for part in parts]
        means = [calibrate_block(block, self.expansion).mean(axis=0) for block in blocks]
        return Sample(np.median(means, axis=0).astype(np.float64), saturated)


def read_raw_visit(
    source: VisitSource, instrument: Instrument, *, selection: PixelSelection | None = None
) -> RawVisit:
    """Read one sensor's frames and calibration. Raises DataError: anything that the files should not be."""
    files, settings, sensor = source.files, source.settings, instrument.name
    selection = selection or select_pixels(instrument, settings)
    calibration = read_calibration(files, instrument)
    adu = read_frames(files.signal(instrument), selection, reader=settings.reader)
    order = put_in_step(adu, most=len(source.axis.time_h(instrument)) // 2)
    n_frames = len(order.adu)
    exposures, noted = find_exposures(source.axis, instrument, n_frames, settings=settings, where=files.label)
    if order.first_lost is not None:
        noted.append(flags.out_of_step(sensor, order.first_lost))
    adu = order.adu[: 2 * len(exposures)]
    check = check_exposures(adu, ignore_last=settings.drop_last)
    _require_exposures(check, where=f"{files.label}, {sensor}", sensor=sensor)
    if not check.good.all():
        adu = adu.reshape(len(exposures), 2, -1)[check.good].reshape(-1, adu.shape[1])
    if check.reasons:
        noted.append(flags.dropped_exposures(sensor, check.reasons))
    if check.repeats:
        noted.append(flags.repeating_frames(sensor, check.repeats))
    adc, direction = source.adc.of(files.planet_id), settings.adc_direction
    converter = {"gain": adc.gain(instrument), "offset": adc.offset(instrument)}
    if direction == "auto":
        direction = choose_adc_direction(adu[:_UNLIT_FRAMES:2, _unlit(selection)], **converter)
        if direction == "multiply":
            noted.append(flags.adc_multiplied(sensor))
    dark = {"dark_time_s": exposures.dark_time_s, "settings": settings}
    pixels = prepare_pixels(calibration, selection, direction=direction, **converter, **dark)
    if check.stuck:  # a pixel without charge instead
        adu = adu.copy() if not adu.flags.writeable else adu
        adu[0::2] = max(0, round(-float(pixels.offset) / float(pixels.factor)))
        noted.append(flags.stuck_first_reads(sensor))
    expansion = expand_calibration(every(adu, _RANGE_EXPOSURES), pixels)
    return RawVisit(
        adu, selection, pixels, expansion, exposures, check, settings, flags=tuple(noted), label=files.label
    )


def _require_exposures(check: ExposureCheck, *, where: str, sensor: str) -> None:
    if check.good.sum() < _FEWEST_EXPOSURES:
        raise DataError(
            "no usable exposures",
            where=where,
            expected=f"{_FEWEST_EXPOSURES} or more",
            found=flags.dropped_exposures(sensor, check.reasons) if check.reasons else "none",
            fix=COPY_SIGNAL,
        )


def _unlit(selection: PixelSelection) -> np.ndarray:
    """Pixels that the star lights least: rows at the edge (AIRS-CH0), corner squares (FGS1), else all."""
    if selection.instrument.name == FGS1.name:
        unlit = np.arange(len(selection)) >= selection.n_grid
    else:
        unlit = (selection.row < 2) | (selection.row >= selection.instrument.rows - 2)
    return np.flatnonzero(unlit) if unlit.any() else np.arange(len(selection))
