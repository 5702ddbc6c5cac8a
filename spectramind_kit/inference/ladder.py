"""The ladder of a planet's spectrum: naive, flat depth, anchor, network; each rung replaces the one below.

Where anchor and network are stacked the source is ``both``. A direct network also reads planets without an
anchor, which then have its prediction alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.uncertainty import ANCHOR, BOTH, NETWORK, SigmaScale
from spectramind_kit.metric import N_BINS, Metric
from spectramind_kit.run_folder.predictions import EMBEDDINGS, Predictions
from spectramind_kit.training.evaluation import spread
from spectramind_kit.transit import Anchor

NAIVE, FLAT_DEPTH = "naive", "flat depth"


def naive_rung(planet_ids: Sequence[int], wavelength_um: np.ndarray, metric: Metric) -> Predictions:
    """Every planet with the metric's naive prediction."""
    mean, sigma = metric.naive((len(planet_ids), N_BINS))
    source = np.full(len(planet_ids), NAIVE, dtype=f"U{len(FLAT_DEPTH)}")
    return Predictions(np.array(planet_ids, dtype=np.int64), wavelength_um, mean, sigma, source=source)


def flat_rung(below: Predictions, flat: Mapping[int, float], baseline: FlatBaseline) -> Predictions:
    """Planets with a flat depth that can be one take it."""
    planets = [planet for planet, depth in flat.items() if np.isfinite(depth) and 0 < depth < 0.5]
    spectra = baseline.spectra(np.array([flat[planet] for planet in planets]))
    above = below.with_rows(planets, spectra, source=FLAT_DEPTH)
    return replace(above, flat_depth_mean=above.depth_mean, flat_depth_sigma=above.depth_sigma)


def anchor_rung(below: Predictions, anchors: Mapping[int, Anchor], scale: SigmaScale) -> Predictions:
    """Planets with an anchor take it, its errors scaled."""
    planets = list(anchors)
    own = [(anchor.depth, anchor.depth_err) for anchor in anchors.values()]
    depth, err = np.array(own).reshape(-1, 2, N_BINS).transpose(1, 0, 2)
    plain = below.with_rows(planets, (depth, err), source=ANCHOR)
    scaled = below.with_rows(planets, scale.apply((depth, err)), source=ANCHOR)
    return replace(scaled, anchor_depth=plain.depth_mean, anchor_err=plain.depth_sigma)


def network_rung(below: Predictions, network: Mapping[str, np.ndarray], scale: SigmaScale) -> Predictions:
    """Planets that the network has read step from their anchor to it, as far as it is trusted; those that
    have no anchor take its prediction alone.

    ``network``: what `predictors.predict_network` gives.
    """
    planets, spectra = network["planet_id"], (network["depth_mean"], network["depth_sigma"])
    rows = below.rows_of(planets)
    anchored = below.source[rows] == ANCHOR
    anchor = np.full((2, len(planets), N_BINS), np.nan)
    if anchored.any():
        anchor[:, anchored] = below.anchor_depth[rows][anchored], below.anchor_err[rows][anchored]
    taken = ~anchored | scale.uses_network
    mean, sigma = scale.apply((anchor[0], anchor[1]), spectra)
    both = taken & anchored & (not scale.alone)
    above = below.with_rows(planets[taken], (mean[taken], sigma[taken]), source=NETWORK)
    above = above.with_rows(planets[both], (mean[both], sigma[both]), source=BOTH)
    mean, sigma = (spread(values, rows, len(below)) for values in spectra)
    embeddings = {name: spread(network[name], rows, len(below)) for name in EMBEDDINGS}
    return replace(above, network_depth_mean=mean, network_depth_sigma=sigma, **embeddings)


def without_gaps(predictions: Predictions, metric: Metric) -> Predictions:
    """Planets whose spectrum is not finite fall to the naive prediction."""
    finite = np.isfinite(predictions.depth_mean) & np.isfinite(predictions.depth_sigma)
    broken = predictions.planet_id[~finite.all(axis=1)]
    return predictions.with_rows(broken, metric.naive((len(broken), N_BINS)), source=NAIVE)
