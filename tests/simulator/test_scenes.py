from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.simulator.cadence import timing
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.jitter import Pointing
from spectramind_kit.simulator.scenes import AirsScene, FgsScene
from spectramind_kit.simulator.settings import Effects
from spectramind_kit.simulator.visit import PixelResponse

QUIET = Effects().without("foreground", "gain_drift")
PARTS = slice(0, 4)


def pointing(n: int, *, x: float = 0.0, y: float = 0.0) -> Pointing:
    """The same offset in every frame."""
    return Pointing(*(np.full(n, value) for value in (x, y, x * x, y * y, x * y)))


def airs_rate(visit, *, on: Effects = QUIET, **offset) -> np.ndarray:
    plan = timing(AIRS, "reduced")
    return AirsScene(visit, plan, pointing(plan.pairs, **offset), on).rate(PARTS).mean(0)


def fgs1_rate(visit, **offset) -> np.ndarray:
    plan = timing(FGS1, "reduced")
    return FgsScene(visit, plan, pointing(plan.pairs, **offset), QUIET).rate(PARTS).mean(0)


def centroid(image: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape)
    return np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()


def test_the_star_moves_with_the_telescope(visit):
    """Guards against pointing with the wrong sign or plate scale: FGS1 by the offset, AIRS by half of it."""
    still = replace(visit, response=PixelResponse(0.0, 0.0, 0.0, 0.0))
    moved = centroid(fgs1_rate(still, x=0.1, y=-0.05)) - centroid(fgs1_rate(still))
    assert moved == pytest.approx([0.1, -0.05], abs=0.015)  # a little of the wings leaves the detector
    cut = (slice(None), AIRS.cut)
    rows = centroid(airs_rate(visit, y=0.1)[cut])[1] - centroid(airs_rate(visit)[cut])[1]
    assert rows == pytest.approx(0.05, abs=0.006)


def test_pixel_response_changes_the_flux_of_fgs1(visit):
    """Guards against a response that is drawn and never applied."""
    sloped = replace(visit, response=PixelResponse(0.03, 0.0, 0.0, 0.0))
    flat = replace(visit, response=PixelResponse(0.0, 0.0, 0.0, 0.0))
    ratio = fgs1_rate(sloped, x=0.1).sum() / fgs1_rate(flat, x=0.1).sum()
    assert ratio == pytest.approx(1.003, abs=1e-5)


def test_light_of_the_star_and_of_the_sky(visit):
    """Guards against a scene that loses light, and against a foreground that is not there, or there twice."""
    star = airs_rate(visit).sum(0)[AIRS.cut]
    assert star == pytest.approx(visit.level[1:][AIRS.cut], rel=0.03)
    both = airs_rate(visit, on=replace(QUIET, foreground=True))
    assert both - airs_rate(visit) == pytest.approx(np.tile(visit.foreground[1:], (32, 1)), abs=0.1)
