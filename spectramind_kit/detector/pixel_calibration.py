"""The calibration set of a sensor bent to one array axis: what calibrating the selected pixels needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.calibration_set import CalibrationSet, find_hot_pixels
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.settings import DetectorSettings


@dataclass(frozen=True)
class PixelCalibration:
    """All that calibrating blocks needs, per selected pixel, in float32."""

    factor: np.float32  # e⁻ per count
    offset: np.float32  # e⁻
    coefficients: np.ndarray | None  # (6, P) of the linearity polynomial; None: linearity off
    dark_charge: np.ndarray  # (P,) dark e⁻ between the two reads
    inverse_flat: np.ndarray  # (P,)
    read_noise: np.ndarray  # (P,) σ of a CDS sample from the two reads alone, after the flat, e⁻
    bad: np.ndarray  # (P,) bool: to be filled or left out
    n_hot: int

    def part(self, which: slice) -> PixelCalibration:
        """The same for some of the pixels."""
        coefficients = None if self.coefficients is None else self.coefficients[:, which]
        others = ("dark_charge", "inverse_flat", "read_noise", "bad")
        return replace(
            self, coefficients=coefficients, **{name: getattr(self, name)[which] for name in others}
        )


def prepare_pixels(
    calibration: CalibrationSet,
    pixels: PixelSelection,
    *,
    gain: float,
    offset: float,
    direction: str,
    dark_time_s: float,
    settings: DetectorSettings,
) -> PixelCalibration:
    """Calibration maps of the selected pixels. ``dark_time_s``: seconds of dark current between the reads."""
    flat = pixels.take(calibration.flat) if settings.flat else np.ones(len(pixels))
    hot = pixels.take(find_hot_pixels(calibration.dark, clip_sigma=settings.hot_clip_sigma))
    bad = pixels.take(calibration.unusable) if settings.fill_dead else np.zeros(len(pixels), bool)
    if settings.mask_hot:
        bad = bad | hot
    return PixelCalibration(
        factor=np.float32(gain if direction == "multiply" else 1.0 / gain),
        offset=np.float32(offset),
        coefficients=pixels.take(calibration.linear_corr).astype(np.float32) if settings.linearity else None,
        dark_charge=(pixels.take(calibration.dark) * dark_time_s).astype(np.float32),
        inverse_flat=(1.0 / flat).astype(np.float32),
        read_noise=(np.sqrt(2.0) * pixels.take(calibration.read) / flat).astype(np.float32),
        bad=bad,
        n_hot=int(hot.sum()),
    )
