"""From what planets have shown to their spectra, rung by rung: the way of 03_submit, and of `predict`.

The notebook goes it with an eye on the clock and survives what fails; a call in a notebook of one's own goes
it straight. The numbers are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from spectramind_kit.detector import LightCurve
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.ladder import anchor_rung, flat_rung, naive_rung, network_rung, without_gaps
from spectramind_kit.inference.predictors import predict_anchors, predict_network, predict_untrained
from spectramind_kit.inference.uncertainty import SigmaScale
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.runtime import Device
from spectramind_kit.training.pretrained import load_pretrained
from spectramind_kit.transit import Anchor, DepthMeasurement

WITHOUT_BUNDLE = FlatBaseline(1.0, 1e-3)  # as it is, and an error on the safe side: docs/decisions.md D68
_ALONE = SigmaScale(alone=True)


@dataclass(frozen=True)
class FoundPlanets:
    """What was found, by planet; the bins of the light curves are in the order of the bundle's."""

    light_curves: dict[int, list[LightCurve]] = field(default_factory=dict)
    flat: dict[int, float] = field(default_factory=dict)  # depth
    measurements: dict[int, DepthMeasurement] = field(default_factory=dict)

    def flags(self, planet_id: int) -> tuple[str, ...]:
        """In words: of the fit, which carries on those of stage 1; without one, of the light curves."""
        if planet_id in self.measurements:
            return tuple(self.measurements[planet_id].flags)
        return tuple(flag for curve in self.light_curves.get(planet_id, ()) for flag in curve.flags)


def low_rungs(
    found: FoundPlanets, bundle: Bundle | None, *, planet_ids: Sequence[int], wavelength_um: np.ndarray
) -> Predictions:
    """Every planet with a flat depth where there is one, and with the naive prediction elsewhere."""
    metric, baseline = (bundle.metric, bundle.flat) if bundle else (Metric(), WITHOUT_BUNDLE)
    return flat_rung(naive_rung(planet_ids, wavelength_um, metric), found.flat, baseline)


def with_anchors(
    below: Predictions, found: FoundPlanets, bundle: Bundle | None
) -> tuple[Predictions, dict[int, Anchor], dict[int, str]]:
    """The next rung, the anchors themselves, and the reason for each planet that was measured and has
    none."""
    if bundle is None or not found.measurements:
        return below, {}, {}
    anchors, failed = predict_anchors(bundle, found.measurements)
    return anchor_rung(below, anchors, bundle.anchor_scale), anchors, failed


def has_network(bundle: Bundle | None) -> bool:
    """Without a bundle there are the weights that come with the kit."""
    return bundle is None or bool(bundle.weights)


def with_network(
    below: Predictions,
    found: FoundPlanets,
    bundle: Bundle | None,
    *,
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
    device: Device,
) -> Predictions:
    """The last rung: the bundle's network, or without a bundle the weights that come with the kit."""
    if bundle is None:
        start, scale = load_pretrained(), _ALONE
        network = predict_untrained(start, found.light_curves, stars=stars, device=device)
    else:
        given = {"measurements": found.measurements, "anchors": anchors, "stars": stars, "device": device}
        scale, network = bundle.network_scale, predict_network(bundle, found.light_curves, **given)
    return network_rung(below, network, scale) if network else below


def finished(predictions: Predictions, bundle: Bundle | None, *, order: np.ndarray | None) -> Predictions:
    """Bins in the order (283,) that is wanted, and the naive prediction in place of what is not finite."""
    predictions = predictions if order is None else predictions.in_bins(order)
    return without_gaps(predictions, bundle.metric if bundle else Metric())
