"""What each planet's row of the submission rests on, as a table for a reader."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spectramind_kit.inference.ladder import ANCHOR, FLAT_DEPTH, NAIVE, NETWORK
from spectramind_kit.run_folder.predictions import Predictions

_PPM = 1e6
_IN_WORDS = {
    NAIVE: "the train planets' mean: nothing could be measured",
    FLAT_DEPTH: "one flat depth for all wavelengths",
    ANCHOR: "the physics fit (anchor)",
    **dict.fromkeys((NETWORK, "both"), "physics fit and neural network together"),
}
_NETWORK_ALONE = "the neural network"


def planet_table(predictions: Predictions) -> pd.DataFrame:
    """A row for each planet, the least certain first.

    Columns: ``comes_from``, in words; ``depth_ppm``, mean over the wavelengths; ``sigma_fgs1_ppm`` and
    ``sigma_airs_ppm`` (median of the bins), the 1-sigma errors that are submitted; ``remarks``, what stage 1
    and the anchor have noticed (`detector.flags`, `transit.flags`).
    """
    p = predictions
    mean, sigma = _PPM * p.depth_mean, _PPM * p.depth_sigma
    flags = p.flags if p.flags is not None else np.full(len(p), "")
    table = pd.DataFrame(
        {
            "comes_from": _sources(p),
            "depth_ppm": mean.mean(axis=1),
            "sigma_fgs1_ppm": sigma[:, 0],
            "sigma_airs_ppm": np.median(sigma[:, 1:], axis=1),
            "remarks": flags,
        },
        index=pd.Index(p.planet_id, name="planet_id"),
    )
    rounded = table.round(dict.fromkeys(("depth_ppm", "sigma_fgs1_ppm", "sigma_airs_ppm"), 0))
    return rounded.sort_values("sigma_airs_ppm", ascending=False)


def _sources(p: Predictions) -> list[str]:
    sources = [] if p.source is None else p.source.tolist()
    alone = np.zeros(len(p), dtype=bool)
    if p.network_depth_mean is not None:  # then nothing of the anchor is in it
        alone = (p.depth_mean == p.network_depth_mean).all(axis=1)
    words = [
        _NETWORK_ALONE if one and name == NETWORK else _IN_WORDS.get(name, name)
        for name, one in zip(sources, alone)
    ]
    return words or ["" for _ in range(len(p))]
