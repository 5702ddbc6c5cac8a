"""Where a planet's spectrum comes from: the anchor, the network, both, or a stand-in where they failed."""

from __future__ import annotations

import numpy as np

from spectramind_kit.inference.planet_table import IN_WORDS
from spectramind_kit.inference.uncertainty import ANCHOR, BOTH, NETWORK, SigmaScale
from spectramind_kit.run_folder.files import BUNDLE
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults

_SAME = 1e-3  # of σ: what two spectra may differ by and still be one


def is_anchor(predictions: Predictions, row: int) -> bool:
    """Whether the predicted depths of a planet are its anchor's."""
    if predictions.anchor_depth is None:
        return False
    step = np.abs(predictions.depth_mean[row] - predictions.anchor_depth[row])
    return bool((step <= _SAME * predictions.depth_sigma[row]).all())


def network_share(run: RunResults, predictions: Predictions) -> np.ndarray:
    """How much of each planet's depths is the network's, 0 to 1, (N, 283); the rest is the anchor's.

    By the bundle's scale; zero where the run has no network, or the planet comes from neither.
    """
    content = read_json(run.path(BUNDLE)).get("network_scale")
    network, nothing = predictions.stage("network"), np.zeros(predictions.depth_mean.shape)
    if not content or network is None:
        return nothing
    own = predictions.network_depth_mean, predictions.network_depth_sigma
    anchor = (predictions.anchor_depth, predictions.anchor_err)
    anchor = tuple(np.full(nothing.shape, np.nan) if part is None else part for part in anchor)
    share = SigmaScale.from_dict(content).share(anchor, own)
    if predictions.source is not None:
        share[~np.isin(predictions.source, (NETWORK, BOTH))] = 0.0
    return share


def source_of(predictions: Predictions, row: int, share: np.ndarray) -> str:
    """``anchor``, ``network``, ``both``, ``flat depth`` or ``naive``; ``share`` (283,) of this planet."""
    if predictions.source is not None:
        return str(predictions.source[row])
    return NETWORK if share.min() > 0.999 else BOTH if share.max() > 0 else ANCHOR


def in_words(source: str, share: np.ndarray) -> str:
    """The source for a reader; a mixture with the network's share (283,) in both sensors."""
    if source != BOTH:
        return IN_WORDS[source]
    parts = f"{share[0]:.0%} of the FGS1 depth and {share[1:].mean():.0%} of the AIRS-CH0 depths"
    return f"{IN_WORDS[source]}; the network makes {parts}"
