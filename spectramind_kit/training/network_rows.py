"""What a network reads of planets: their light curves, or what the anchor leaves of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from spectramind_kit.detector import LightCurve
from spectramind_kit.training.dataset import planet_rows
from spectramind_kit.training.direct_rows import direct_rows
from spectramind_kit.training.pretrained import is_direct
from spectramind_kit.transit import Anchor, DepthMeasurement


def network_rows(
    model_config: Mapping[str, Any],
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measurements: Mapping[int, DepthMeasurement],
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
) -> list[dict[str, Any]]:
    """A row per visit for the network of a ``model`` node.

    A direct one reads all planets with a transit in their light curves, another one those with an anchor.
    """
    if is_direct(model_config):
        return direct_rows(light_curves, stars=stars)
    return planet_rows(light_curves, measurements=measurements, anchors=anchors, stars=stars)
