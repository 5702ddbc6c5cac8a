"""Where a planet's spectrum comes from: the anchor, the network, both, or a stand-in where they failed."""

from __future__ import annotations

import numpy as np

from spectramind_kit.inference.planet_table import IN_WORDS
from spectramind_kit.inference.uncertainty import ANCHOR, BOTH, NETWORK, SigmaScale
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

    As 03_submit told the source; of a mixture by the bundle's scale, and NaN where there is none that this
    version of the kit can read.
    """
    share, source = _by_scale(run, predictions), predictions.source
    if source is not None:
        share[~np.isin(source, (NETWORK, BOTH))] = 0.0
        share[source == NETWORK] = 1.0  # whatever the bundle says: the weights of the kit need none
    return share


def _by_scale(run: RunResults, predictions: Predictions) -> np.ndarray:
    network, shape = predictions.stage("network"), predictions.depth_mean.shape
    if network is None:
        return np.zeros(shape)
    try:
        scale = SigmaScale.from_dict(read_json(run.bundle_json)["network_scale"])
    except (KeyError, TypeError, ValueError):  # no bundle, or one of another format
        share = np.full(shape, np.nan)
        share[[is_anchor(predictions, row) for row in range(len(predictions))]] = 0.0
        return share
    own = predictions.network_depth_mean, predictions.network_depth_sigma
    anchor = (predictions.anchor_depth, predictions.anchor_err)
    anchor = tuple(np.full(shape, np.nan) if part is None else part for part in anchor)
    return scale.share(anchor, own)


def source_of(predictions: Predictions, row: int, share: np.ndarray) -> str:
    """``anchor``, ``network``, ``both``, ``flat depth`` or ``naive``; ``share`` (283,) of this planet."""
    if predictions.source is not None:
        return str(predictions.source[row])
    return NETWORK if share.min() > 0.999 else ANCHOR if share.max() == 0.0 else BOTH


def in_words(source: str, share: np.ndarray) -> str:
    """The source for a reader; a mixture with the network's share (283,) in both sensors."""
    if source != BOTH:
        return IN_WORDS[source]
    if np.isnan(share).any():
        return (
            f"{IN_WORDS[BOTH]}; in what shares is not known: no bundle, or one of another version of the kit"
        )
    parts = f"{share[0]:.0%} of the FGS1 depth and {share[1:].mean():.0%} of the AIRS-CH0 depths"
    return f"{IN_WORDS[source]}; the network makes {parts}"
