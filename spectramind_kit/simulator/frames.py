"""From a visit's light to raw frames: the recipe that strings the detector effects together, chunk by
chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator import detector_effects as effect
from spectramind_kit.simulator.calibration_maps import DetectorMaps
from spectramind_kit.simulator.constants import AIRS, BLOCKS_REDUCED, FGS1, VISIT_H, Sensor
from spectramind_kit.simulator.focal_plane import AIRS_PLATE_SCALE, airs_profiles, fgs1_psf
from spectramind_kit.simulator.jitter import Pointing, draw_path, pointing_of_frames
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.visit import VisitTruth, star_flux

# of one float32 read: small enough to stay near the cache and to keep a full visit under 1 GB
_CHUNK_BYTES = 24e6


@dataclass(frozen=True)
class Timing:
    """Pairs of one sensor in one cadence. ``coadded`` real pairs stand behind one stored pair; times in
    hours."""

    pairs: int
    coadded: float
    exposure_h: float

    @property
    def mid_exposure_h(self) -> np.ndarray:
        """(pairs,) centre of the light that each CDS frame collects."""
        return (np.arange(self.pairs) + 0.5) * VISIT_H / self.pairs


def timing(sensor: Sensor, cadence: str) -> Timing:
    """Frame pairs of a visit at ``full`` or ``reduced`` cadence."""
    if cadence == "full":
        return Timing(sensor.pairs, 1.0, sensor.exposure_s / 3600.0)
    pairs = BLOCKS_REDUCED * (1 if sensor.name == AIRS.name else 12)
    return Timing(pairs, sensor.pairs / pairs, VISIT_H / pairs)


def axis_times_h(sensor: Sensor, cadence: str) -> np.ndarray:
    """(2·pairs,) times of the reads as axis_info gives them: pairs 0.1 s apart; reduced frames carry the mean
    of theirs."""
    plan = timing(sensor, cadence)
    first = sensor.axis_start_s + sensor.period_s * ((np.arange(plan.pairs) + 0.5) * plan.coadded - 0.5)
    return np.stack([first, first + 0.1], axis=1).reshape(-1) / 3600.0


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
    """(frames, rows·columns) uint16: the raw frames of one sensor, reads just after reset and at the end of
    the ramp in turn.

    ``path`` (2, 67500) is the line of sight in FGS1 pixels; ``pairs`` takes a stretch of the visit instead of
    all of it.
    """
    plan = timing(sensor, settings.cadence)
    on = settings.effects
    pointing = pointing_of_frames(path * (visit.jitter_amplitude if on.jitter else 0.0), plan.pairs)
    scene = (
        _AirsScene(visit, plan, pointing, settings)
        if sensor.name == AIRS.name
        else _FgsScene(visit, plan, pointing, settings)
    )
    size = sensor.rows * sensor.columns
    begin, end, _ = pairs.indices(plan.pairs)
    frames = np.empty((2 * (end - begin), size), np.uint16)
    chunk = max(1, int(_CHUNK_BYTES / 4 / size))
    response = _response(maps, settings)
    for start in range(begin, end, chunk):
        part = slice(start, min(start + chunk, end))
        rate = scene.rate(part)
        effect.add_flat_field(rate, response)
        first, last = rate * np.float32(sensor.first_s), rate * np.float32(sensor.last_s)
        detect(first, last, maps, sensor, settings=settings, rng=rng, n=plan.coadded)
        for read, values in ((0, first), (1, last)):
            frames[2 * (part.start - begin) + read : 2 * (part.stop - begin) : 2] = effect.digitise(
                values, gain=settings.adc_gain, offset=settings.adc_offset, floor=on.adc
            ).reshape(len(values), size)
    return frames


def detect(
    first: np.ndarray,
    last: np.ndarray,
    maps: DetectorMaps,
    sensor: Sensor,
    *,
    settings: Settings,
    rng: np.random.Generator,
    n: float,
) -> None:
    """The detector effects in the hosts' order, in place, up to the ADC."""
    on = settings.effects
    if on.nonlinearity:
        effect.add_nonlinearity(first, maps.delinearity)
        effect.add_nonlinearity(last, maps.delinearity)
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
        effect.saturate(first)
        effect.saturate(last)
    if on.read_noise:
        effect.add_read_noise(first, maps.read_noise, rng, n=n)
        effect.add_read_noise(last, maps.read_noise, rng, n=n)


def _response(maps: DetectorMaps, settings: Settings) -> np.ndarray:
    on = settings.effects
    response = maps.response if on.flat_field else np.where(maps.dead_mask, 0.0, 1.0)
    if not on.dead_pixels:
        response = np.where(maps.dead_mask, 1.0, response)
    return response.astype(np.float32)


class _AirsScene:
    """Light on the AIRS detector: a spectrum along the columns, a profile across, both moved by pointing."""

    def __init__(self, visit: VisitTruth, plan: Timing, pointing: Pointing, settings: Settings):
        on = settings.effects
        flux = star_flux(
            visit,
            plan.mid_exposure_h,
            exposure_h=plan.exposure_h,
            gain_drift=on.gain_drift,
            grid=slice(1, None),
        )
        self.pointing = pointing.scaled(AIRS_PLATE_SCALE)
        # Along the dispersion the spectrum shifts as a whole; second order averages out against its
        # smoothness.
        flux -= self.pointing.x[:, None] * np.gradient(visit.level[1:])[None, :]
        self.flux = flux.astype(np.float32)
        maps = airs_profiles(visit.grid_um[1:])
        self.value, self.d_y, self.d_yy = (
            m.astype(np.float32) for m in (maps.value, maps.d_y, 0.5 * maps.d_yy)
        )
        self.foreground = visit.foreground[1:].astype(np.float32) if on.foreground else None

    def rate(self, part: slice) -> np.ndarray:
        """(t, 32, 356) e⁻/s."""
        y = self.pointing.y[part, None, None].astype(np.float32)
        yy = self.pointing.yy[part, None, None].astype(np.float32)
        rate = self.d_y * y
        rate += self.d_yy * yy
        rate += self.value
        rate *= self.flux[part, None, :]
        if self.foreground is not None:
            rate += self.foreground
        return rate


class _FgsScene:
    """Light on FGS1: one PSF, moved by pointing, with a response that depends on where in the pixels it
    falls."""

    def __init__(self, visit: VisitTruth, plan: Timing, pointing: Pointing, settings: Settings):
        on = settings.effects
        flux = star_flux(
            visit, plan.mid_exposure_h, exposure_h=plan.exposure_h, gain_drift=on.gain_drift, grid=slice(0, 1)
        )[:, 0]
        p, r = pointing, visit.response
        # Over ±0.1 px the response is a parabola; its mean level belongs to the throughput.
        flux = flux * (
            1.0 + r.x * p.x + r.y * p.y + r.xx * (p.xx - p.xx.mean()) + r.yy * (p.yy - p.yy.mean())
        )
        maps = fgs1_psf()
        basis = np.stack([maps.value, maps.d_x, maps.d_y, 0.5 * maps.d_xx, 0.5 * maps.d_yy, maps.d_xy])
        self.basis = basis.reshape(6, -1).astype(np.float32)
        self.weights = (
            flux[:, None] * np.stack([np.ones_like(p.x), p.x, p.y, p.xx, p.yy, p.xy], axis=1)
        ).astype(np.float32)
        self.foreground = np.float32(visit.foreground[0]) if on.foreground else None

    def rate(self, part: slice) -> np.ndarray:
        """(t, 32, 32) e⁻/s."""
        rate = (self.weights[part] @ self.basis).reshape(-1, FGS1.rows, FGS1.columns)
        if self.foreground is not None:
            rate += self.foreground
        return rate


def draw_pointing_path(rng: np.random.Generator) -> np.ndarray:
    """(2, 67500) FGS1 pixels; both sensors share it, since it is the telescope that moves."""
    return draw_path(rng)
