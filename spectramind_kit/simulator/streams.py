"""Random streams: every planet has its own, and every purpose its own again.

What is drawn for planet 17 depends neither on how many planets are asked for nor on which process draws it,
and a purpose that draws more numbers than before leaves the others as they were.
"""

from __future__ import annotations

import numpy as np

from spectramind_kit.detector.layout import SPLITS

ORBIT, SPECTRUM, STAR, VISIT_COUNT = 0, 1, 2, 9  # of a planet
VISIT, DETECTOR, LIGHT_CURVE, MAPS, HIDDEN = 10, 20, 25, 30, 40  # plus the number of the visit


def planet_generator(seed: int, split: str, index: int, *, purpose: int) -> np.random.Generator:
    """The stream of planet ``index`` of a split for one purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, SPLITS.index(split), index, purpose]))
