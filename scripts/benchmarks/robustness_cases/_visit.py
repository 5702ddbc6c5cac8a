"""One visit, simulated, damaged, and taken from its files to an anchor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustness_cases import Outcome

_SEED, _PLANET = 21, 2


@dataclass(frozen=True)
class Situation:
    """What is done to a visit: to the star, to its frames (in place), to its folder."""

    star: Callable = lambda truth: truth
    frames: Callable = lambda frames, truth: None
    folder: Callable = lambda folder: None

    def outcome(self, scratch: Path) -> Outcome:
        """Write the visit, extract its light curve, fit the anchor; pull against the depths that it shows."""
        from spectramind_kit.detector import extract_light_curve, find_visits
        from spectramind_kit.detector.flags import concerns_quality
        from spectramind_kit.errors import DataError
        from spectramind_kit.simulator.wavelengths import grid_to_bins
        from spectramind_kit.transit import fit_anchor

        truth = self._write(scratch)
        try:
            curve = extract_light_curve(find_visits(scratch, "train")[0])
        except DataError as error:
            return Outcome(said=error.what, note="no light curve")
        anchor = fit_anchor([curve], truth.planet.catalogue_row())
        pull, level, sigma = against(anchor, truth)
        off, err = 1e6 * (anchor.depth - grid_to_bins(truth.depth))[0], 1e6 * anchor.depth_err[0]
        said = ", ".join(flag for flag in curve.flags if concerns_quality(flag))
        note = f"FGS1 {off:+.0f} ± {err:.0f}, AIRS-CH0 {1e6 * level:+.0f} ± {1e6 * sigma:.0f} ppm"
        return Outcome(pull=pull, sigma_ppm=1e6 * sigma, said=said, note=note)

    def _write(self, scratch: Path):
        from spectramind_kit.detector.instrument import INSTRUMENTS
        from spectramind_kit.simulator import Settings, draw_visits, writer
        from spectramind_kit.simulator.calibration_maps import calibration_products, maps_of_visit
        from spectramind_kit.simulator.frames import simulate_visit

        settings = Settings(cadence="reduced")
        truth = self.star(draw_visits(_SEED, "train", _PLANET, settings=settings)[0])
        frames = simulate_visit(_SEED, "train", _PLANET, truth, settings=settings)
        self.frames(frames, truth)
        folder = scratch / "train" / str(truth.planet.planet_id)
        folder.mkdir(parents=True)
        writer.write_axes(scratch, settings)
        all_maps = maps_of_visit(_SEED, "train", _PLANET, 0)
        for instrument, maps, own in zip(INSTRUMENTS, all_maps, frames, strict=True):
            writer.write_signal(folder, instrument, 0, own)
            writer.write_calibration(folder, instrument, 0, calibration_products(maps, settings.effects))
        self.folder(folder)
        return truth


def against(anchor, truth) -> tuple[float, float, float]:
    """Largest pull of the bins and of the AIRS-CH0 level; the level minus the true one, and its error."""
    from spectramind_kit.simulator.wavelengths import grid_to_bins

    error = anchor.depth - grid_to_bins(truth.depth)
    weights = np.full(282, 1.0 / 282.0)
    level = float(weights @ error[1:])
    sigma = float(np.sqrt(weights @ anchor.covariance[1:, 1:] @ weights))
    pull = max(float((np.abs(error) / anchor.depth_err).max()), abs(level) / sigma)
    return pull, level, sigma
