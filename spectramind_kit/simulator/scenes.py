"""Light on each detector as the telescope moves, e⁻/s, before the detector does anything to it."""

from __future__ import annotations

import numpy as np

from spectramind_kit.simulator.cadence import Timing
from spectramind_kit.simulator.constants import FGS1
from spectramind_kit.simulator.focal_plane import AIRS_PLATE_SCALE
from spectramind_kit.simulator.images import star_images
from spectramind_kit.simulator.jitter import Pointing
from spectramind_kit.simulator.settings import Effects
from spectramind_kit.simulator.star_flux import star_flux
from spectramind_kit.simulator.visit import VisitTruth


class AirsScene:
    """Light on AIRS-CH0: a spectrum along the columns, a profile across, both moved by pointing."""

    def __init__(self, visit: VisitTruth, plan: Timing, pointing: Pointing, on: Effects):
        flux = _flux(visit, plan, on, slice(1, None))
        self.pointing = pointing.scaled(AIRS_PLATE_SCALE)
        # Along the dispersion the spectrum shifts as a whole; second order averages out against its
        # smoothness.
        flux -= self.pointing.x[:, None] * np.gradient(visit.level[1:])[None, :]
        self.flux = flux.astype(np.float32)
        maps = star_images(visit.optics)[1]
        self.value, self.d_y = maps.value.astype(np.float32), maps.d_y.astype(np.float32)
        self.d_yy = (0.5 * maps.d_yy).astype(np.float32)
        self.foreground = visit.foreground[1:].astype(np.float32) if on.foreground else None

    def rate(self, part: slice) -> np.ndarray:
        """(t, 32, 356) e⁻/s."""
        rate = self.d_y * self.pointing.y[part, None, None].astype(np.float32)
        rate += self.d_yy * self.pointing.yy[part, None, None].astype(np.float32)
        rate += self.value
        rate *= self.flux[part, None, :]
        if self.foreground is not None:
            rate += self.foreground
        return rate


class FgsScene:
    """Light on FGS1: one PSF, moved by pointing; the response depends on where in the pixels it falls."""

    def __init__(self, visit: VisitTruth, plan: Timing, pointing: Pointing, on: Effects):
        p, r = pointing, visit.response
        # Over ±0.1 px the response is a parabola; its mean level belongs to the throughput.
        curved = r.xx * (p.xx - p.xx.mean()), r.yy * (p.yy - p.yy.mean())
        flux = _flux(visit, plan, on, slice(0, 1))[:, 0] * (
            1.0 + r.x * p.x + r.y * p.y + curved[0] + curved[1]
        )
        maps = star_images(visit.optics)[0]
        basis = np.stack([maps.value, maps.d_x, maps.d_y, 0.5 * maps.d_xx, 0.5 * maps.d_yy, maps.d_xy])
        self.basis = basis.reshape(6, -1).astype(np.float32)
        weights = flux[:, None] * np.stack([np.ones_like(p.x), p.x, p.y, p.xx, p.yy, p.xy], axis=1)
        self.weights = weights.astype(np.float32)
        self.foreground = np.float32(visit.foreground[0]) if on.foreground else None

    def rate(self, part: slice) -> np.ndarray:
        """(t, 32, 32) e⁻/s."""
        rate = (self.weights[part] @ self.basis).reshape(-1, FGS1.rows, FGS1.columns)
        if self.foreground is not None:
            rate += self.foreground
        return rate


def _flux(visit: VisitTruth, plan: Timing, on: Effects, grid: slice) -> np.ndarray:
    """(pairs, W) e⁻/s of the star."""
    times = {"time_h": plan.mid_exposure_h, "exposure_h": plan.exposure_h}
    return star_flux([visit], **times, gain_drift=on.gain_drift, grid=grid)[0].numpy()
