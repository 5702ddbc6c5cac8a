"""The official score of the Ariel Data Challenge 2025, exactly.

For planet p and bin k with truth y, prediction mu and sigma, with ``s = max(sigma, 1e-15)``::

    r = (log N(y | mu, s) - log N(y | m, S)) / (log N(y | y, sigma_true) - log N(y | m, S))
    score = clip(sum(w r) / sum(w), 0, 1)

``m, S`` are mean and population standard deviation of all train depths; ``sigma_true`` is 1 ppm for FGS1 and
10 ppm for AIRS-CH0; ``w`` is 57.846 for FGS1 and 1 for each AIRS bin. Higher is better.
Source: the competition's scorer; its results on thirteen cases are reproduced to 1e-9 in the tests
(docs/decisions.md D1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

N_BINS = 283
FGS1_WEIGHT = 57.846
FGS1_SIGMA_TRUE = 1e-6
AIRS_SIGMA_TRUE = 1e-5
SIGMA_FLOOR = 1e-15
# Mean and population std of the train depths of 2025: what the naive prediction is when no labels are at hand
# (docs/decisions.md D1).
OFFICIAL_NAIVE_MEAN = 0.0146926
OFFICIAL_NAIVE_SIGMA = 0.0106609


class SubmissionError(DataError):
    """A submission that the host's scorer refuses."""


def bin_weights(n_bins: int = N_BINS) -> np.ndarray:
    """Weight of each bin in the score, shape (n_bins,): 57.846 for FGS1, 1 for AIRS-CH0."""
    return np.r_[FGS1_WEIGHT, np.ones(n_bins - 1)]


def ideal_sigma(n_bins: int = N_BINS) -> np.ndarray:
    """``sigma_true`` of each bin, shape (n_bins,), in units of depth."""
    return np.r_[FGS1_SIGMA_TRUE, np.full(n_bins - 1, AIRS_SIGMA_TRUE)]


def naive_statistics(depth: np.ndarray) -> tuple[float, float]:
    """Mean and population std of all train depths (N, 283): the metric's naive prediction."""
    depth = np.asarray(depth, dtype=np.float64)
    return float(depth.mean()), float(depth.std())


def _log_normal(x: np.ndarray, mean: np.ndarray | float, sigma: np.ndarray | float) -> np.ndarray:
    return -0.5 * ((x - mean) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)


def element_scores(
    depth: np.ndarray,
    depth_mean: np.ndarray,
    depth_sigma: np.ndarray,
    *,
    naive_mean: float,
    naive_sigma: float,
) -> np.ndarray:
    """The score of each planet and bin before averaging, shape (N, 283); unbounded below.

    All arrays are (N, 283) in units of depth, index 0 FGS1.
    """
    y = np.asarray(depth, dtype=np.float64)
    sigma = np.clip(np.asarray(depth_sigma, dtype=np.float64), SIGMA_FLOOR, None)
    predicted = _log_normal(y, np.asarray(depth_mean, dtype=np.float64), sigma)
    naive = _log_normal(y, naive_mean, naive_sigma)
    ideal = _log_normal(y, y, ideal_sigma(y.shape[-1]))
    return (predicted - naive) / (ideal - naive)


def planet_scores(
    depth: np.ndarray,
    depth_mean: np.ndarray,
    depth_sigma: np.ndarray,
    *,
    naive_mean: float,
    naive_sigma: float,
) -> np.ndarray:
    """Weighted mean over the bins for each planet, shape (N,), not clipped."""
    r = element_scores(depth, depth_mean, depth_sigma, naive_mean=naive_mean, naive_sigma=naive_sigma)
    return np.average(r, axis=-1, weights=bin_weights(r.shape[-1]))


def array_score(
    depth: np.ndarray,
    depth_mean: np.ndarray,
    depth_sigma: np.ndarray,
    *,
    naive_mean: float,
    naive_sigma: float,
    clip: bool = True,
) -> float:
    """The official score on arrays (N, 283); ``clip=False`` keeps what lies below 0, to see how bad it is."""
    score = float(
        planet_scores(depth, depth_mean, depth_sigma, naive_mean=naive_mean, naive_sigma=naive_sigma).mean()
    )
    return float(np.clip(score, 0.0, 1.0)) if clip else score


def gll_score(
    solution: pd.DataFrame, submission: pd.DataFrame, *, naive_mean: float, naive_sigma: float
) -> float:
    """The official score of a submission.

    Parameters
    ----------
    solution : DataFrame
        ``planet_id`` (column, or index) and one column per wavelength, transit depths.
    submission : DataFrame
        ``planet_id`` and twice as many columns: all depths, then all sigmas.
    naive_mean, naive_sigma : float
        Mean and population std of all train depths.

    Returns
    -------
    float in [0, 1]; NaN in the submission gives NaN, as at the host's.

    Raises
    ------
    SubmissionError
        Negative or non-numeric values, a wrong number of columns or rows. As at the host's, rows and columns
        are matched by position and never re-aligned: sort both frames the same way first.
    """
    import pandas as pd

    truth = solution.drop(columns="planet_id", errors="ignore")
    given = submission.drop(columns="planet_id", errors="ignore")
    for column, dtype in given.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise SubmissionError(
                "a submission column is not numeric",
                where=f"column {column}",
                expected="a number",
                found=str(dtype),
            )
    if given.size and float(given.min().min()) < 0:
        worst = int(given.min().to_numpy().argmin())
        raise SubmissionError(
            "negative values in the submission",
            where=f"column {given.columns[worst]}",
            expected=">= 0",
            found=repr(float(given.iloc[:, worst].min())),
            fix="clip depths at 0 and sigmas above 0",
        )
    n_bins = truth.shape[1]
    if given.shape[1] != 2 * n_bins:
        raise SubmissionError(
            "wrong number of columns in the submission",
            expected=str(2 * n_bins),
            found=str(given.shape[1]),
            fix="planet_id, then all wl_*, then all sigma_*",
        )
    if len(given) != len(truth):
        raise SubmissionError(
            "wrong number of rows in the submission", expected=str(len(truth)), found=str(len(given))
        )
    values = given.to_numpy(dtype=np.float64)
    return array_score(
        truth.to_numpy(dtype=np.float64),
        values[:, :n_bins],
        values[:, n_bins:],
        naive_mean=naive_mean,
        naive_sigma=naive_sigma,
    )
