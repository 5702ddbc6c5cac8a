"""Predictions of the same planets side by side: who scores best, and by more than chance?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from spectramind_kit.metric import Metric
from spectramind_kit.training.chosen import gain_over

Spectra = tuple[np.ndarray, np.ndarray]


def leaderboard(
    depth: np.ndarray, predictions: Mapping[str, Spectra], *, metric: Metric, beside: str = "anchor"
) -> pd.DataFrame:
    """The official score of each prediction of N planets, best first; not clipped at 0.

    Parameters
    ----------
    depth : (N, 283) the labels
    predictions : name -> (depths, 1-sigma errors), each (N, 283)
    metric : with the naive prediction of all train labels
    beside : the prediction that the others are compared with

    Returns
    -------
    DataFrame, a row for each prediction: ``score``; ``gain``, by how much the planets' scores exceed those of
    ``beside`` on average, and ``gain_error``, the 1-sigma error of that, which is smaller than the scatter of
    the planets since both predicted the same ones; ``better_on``, the share of planets with a better score.
    """
    scores = {name: metric.planet_scores(depth, *spectra) for name, spectra in predictions.items()}
    known, rows = scores[beside], {}
    for name, own in scores.items():
        gain, error = gain_over(own, known) if name != beside else (np.nan, np.nan)
        better = float((own > known).mean()) if name != beside else np.nan
        rows[name] = {"score": own.mean(), "gain": gain, "gain_error": error, "better_on": better}
    return pd.DataFrame(rows).T.sort_values("score", ascending=False)
