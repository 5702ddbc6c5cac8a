"""FGS1 of one visit, from its files to a flux per exposure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.changing_foreground import window_variation
from spectramind_kit.detector.foreground import window_dilution
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.light_beside import levels_beside
from spectramind_kit.detector.psf_window import WindowFlux, plan_window
from spectramind_kit.detector.raw_visit import RawVisit, VisitSource, read_raw_visit
from spectramind_kit.detector.star_light import measure_saturation, require_star, without_lone_pixels
from spectramind_kit.detector.timing import Exposures
from spectramind_kit.detector.visit_frames import calibrate_raw

_FOREGROUND_SEGMENTS = 187


@dataclass(frozen=True)
class Fgs1Flux:
    """What FGS1 gives before the time bins are known."""

    window: WindowFlux  # of the good exposures
    exposures: Exposures  # all
    good: np.ndarray  # (N,) bool
    flags: tuple[str, ...]
    info: dict[str, float]

    @property
    def centre_h(self) -> np.ndarray:
        """Times of the good exposures."""
        return self.exposures.centre_h[self.good]


def read_fgs1(source: VisitSource) -> Fgs1Flux:
    """Raises DataError where the files, or the light in them, cannot be used."""
    raw = read_raw_visit(source, FGS1)
    sample = raw.sample()
    # before the saturated ones, of whose share of the light they would make too much
    raw = without_lone_pixels(raw, sample.mean)
    share, noted = measure_saturation(raw, sample)
    bad, read_noise = raw.pixels.bad | sample.saturated, raw.pixels.read_noise
    plan = plan_window(raw.selection, sample.mean, bad=bad, read_noise=read_noise, settings=source.settings)
    frames = calibrate_raw(raw, project=plan.projection, sample=sample)
    window = plan.apply(frames.projected)
    require_star(raw, float(window.flux.mean()), noise=plan.predicted_noise)
    levels = _levels(raw)
    if levels is not None and source.settings.foreground == "dilution":
        plan = replace(plan, foreground=window_dilution(plan.foreground, levels, window.flux))
        window = plan.apply(frames.projected)
    if levels is not None:
        given = {"star_light": plan.foreground.star_light, "segments": _FOREGROUND_SEGMENTS}
        variation = window_variation(levels, window.flux, **given)
        if variation is not None:
            window = plan.apply(frames.projected, variation=variation)
            noted.append(flags.foreground_varies(FGS1.name, float(np.ptp(variation))))
    info = frames.info | {"fgs1_saturated_share": share}
    return Fgs1Flux(window, raw.exposures, raw.check.good, (*frames.flags, *noted), info)


def _levels(raw: RawVisit) -> np.ndarray | None:
    """(N,) e⁻ per corner pixel in every exposure, where they are used."""
    if raw.settings.foreground == "off" or raw.beside.start >= raw.beside.stop:
        return None
    factor = float(raw.pixels.factor)
    return levels_beside(raw.adu, raw.beside, bad=raw.pixels.bad, electrons_per_count=factor)
