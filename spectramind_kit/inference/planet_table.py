"""What each planet's row of the submission rests on, as a table for a reader."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spectramind_kit.inference.ladder import ANCHOR, FLAT_DEPTH, NAIVE, NETWORK
from spectramind_kit.inference.uncertainty import BOTH
from spectramind_kit.run_folder.predictions import Predictions

_PPM = 1e6
IN_WORDS = {  # `Predictions.source`, for a reader
    NAIVE: "the train planets' mean: nothing could be measured",
    FLAT_DEPTH: "one flat depth for all wavelengths",
    ANCHOR: "the physics fit (anchor)",
    NETWORK: "the neural network",
    BOTH: "physics fit and neural network together",
}


def planet_table(predictions: Predictions) -> pd.DataFrame:
    """A row for each planet, the least certain first.

    Columns: ``comes_from``, in words; ``depth_ppm``, mean over the wavelengths; ``sigma_fgs1_ppm`` and
    ``sigma_airs_ppm`` (median of the bins), the 1-sigma errors that are submitted; ``remarks``, what stage 1
    and the anchor have noticed (`detector.flags`, `transit.flags`).
    """
    p = predictions
    mean, sigma = _PPM * p.depth_mean, _PPM * p.depth_sigma
    source = p.source if p.source is not None else np.full(len(p), NAIVE)
    flags = p.flags if p.flags is not None else np.full(len(p), "")
    table = pd.DataFrame(
        {
            "comes_from": [IN_WORDS[name] for name in source],
            "depth_ppm": mean.mean(axis=1),
            "sigma_fgs1_ppm": sigma[:, 0],
            "sigma_airs_ppm": np.median(sigma[:, 1:], axis=1),
            "remarks": flags,
        },
        index=pd.Index(p.planet_id, name="planet_id"),
    )
    rounded = table.round(dict.fromkeys(("depth_ppm", "sigma_fgs1_ppm", "sigma_airs_ppm"), 0))
    return rounded.sort_values("sigma_airs_ppm", ascending=False)
