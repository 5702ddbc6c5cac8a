"""From a visit's light to raw frames: the recipe that strings the detector effects together."""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator import detector_effects as effect
from spectramind_kit.simulator.cadence import timing
from spectramind_kit.simulator.calibration_maps import DetectorMaps, maps_of_visit
from spectramind_kit.simulator.constants import AIRS, SENSORS, Sensor
from spectramind_kit.simulator.jitter import draw_path, pointing_of_frames
from spectramind_kit.simulator.scenes import AirsScene, FgsScene
from spectramind_kit.simulator.settings import Effects, Settings
from spectramind_kit.simulator.streams import DETECTOR, planet_generator
from spectramind_kit.simulator.visit import VisitTruth

# of one float32 read: small enough to stay near the cache and to keep a full visit under 1 GB
_CHUNK_BYTES = 24e6


def simulate_visit(
    seed: int, split: str, index: int, truth: VisitTruth, *, settings: Settings
) -> tuple[np.ndarray, ...]:
    """Raw frames of both sensors, (AIRS-CH0, FGS1), each (frames, rows·columns) uint16."""
    rng = planet_generator(seed, split, index, purpose=DETECTOR + truth.visit)
    path = draw_path(rng)
    return tuple(
        simulate_frames(truth, maps, sensor, settings=settings, rng=rng, path=path)
        for sensor, maps in zip(SENSORS, maps_of_visit(seed, split, index, truth.visit), strict=True)
    )


def simulate_frames(
    visit: VisitTruth,
    maps: DetectorMaps,
    sensor: Sensor,
    *,
    settings: Settings,
    rng: np.random.Generator,
    path: np.ndarray,
    pairs: slice = slice(None),
) -> np.ndarray:
    """(frames, rows·columns) uint16: raw frames of one sensor, after reset and at the ramp's end in turn.

    ``path`` (2, 67500) is the line of sight in FGS1 pixels; ``pairs`` takes a stretch of the visit instead of
    all of it.
    """
    plan, on = timing(sensor, settings.cadence), settings.effects
    pointing = pointing_of_frames(path * (visit.jitter_amplitude if on.jitter else 0.0), plan.pairs)
    scene = (AirsScene if sensor.name == AIRS.name else FgsScene)(visit, plan, pointing, on)
    response = _response(maps, on)
    begin, end, _ = pairs.indices(plan.pairs)
    frames = np.empty((end - begin, 2, sensor.n_pixels), np.uint16)
    chunk = max(1, int(_CHUNK_BYTES / 4 / sensor.n_pixels))
    for start in range(begin, end, chunk):
        part = slice(start, min(start + chunk, end))
        rate = scene.rate(part)
        effect.add_flat_field(rate, response)
        first, last = rate * np.float32(sensor.first_s), rate * np.float32(sensor.last_s)
        detect(first, last, maps, sensor, on=on, rng=rng, n=plan.coadded)
        for read, electrons in enumerate((first, last)):
            adu = effect.digitise(electrons, gain=settings.adc_gain, offset=settings.adc_offset, floor=on.adc)
            frames[part.start - begin : part.stop - begin, read] = adu.reshape(len(adu), -1)
    return frames.reshape(-1, sensor.n_pixels)


def detect(
    first: np.ndarray,
    last: np.ndarray,
    maps: DetectorMaps,
    sensor: Sensor,
    *,
    on: Effects,
    rng: np.random.Generator,
    n: float,
) -> None:
    """The detector effects in the hosts' order, in place, up to the ADC."""
    reads = (first, last)
    if on.nonlinearity:
        for read in reads:
            effect.add_nonlinearity(read, maps.delinearity)
    if on.dark:
        effect.add_dark(first, maps.dark_rate, sensor.first_s)
        effect.add_dark(last, maps.dark_rate, sensor.last_s)
    if on.shot_noise:
        effect.add_shot_noise(first, last, rng, n=n)
    if on.cosmic_rays:
        effect.add_cosmic_rays(last, rng, n=n)
    if on.ktc_noise:
        effect.add_ktc_noise(first, last, rng, n=n)
    if on.saturation:
        for read in reads:
            effect.saturate(read)
    if on.read_noise:
        for read in reads:
            effect.add_read_noise(read, maps.read_noise, rng, n=n)


def _response(maps: DetectorMaps, on: Effects) -> np.ndarray:
    response = maps.response if on.flat_field else np.where(maps.dead_mask, 0.0, 1.0)
    if not on.dead_pixels:
        response = np.where(maps.dead_mask, 1.0, response)
    return response.astype(np.float32)
