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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

Values = TypeVar("Values", "np.ndarray", "Tensor")
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


@dataclass(frozen=True)
class Metric:
    """The score against one naive prediction. Arrays and tensors are (N, W) depths, index 0 FGS1.

    NumPy arrays are taken as float64; tensors keep dtype, device and gradient.
    """

    mean: float = OFFICIAL_NAIVE_MEAN  # of all train depths
    sigma: float = OFFICIAL_NAIVE_SIGMA  # their population std

    @classmethod
    def of(cls, depth: np.ndarray) -> Metric:
        """The metric whose naive prediction is that of these train depths (N, W); NaN is left out."""
        depth = np.asarray(depth, dtype=np.float64)
        return cls(float(np.nanmean(depth)), float(np.nanstd(depth)))

    @classmethod
    def from_dict(cls, content: Mapping[str, float]) -> Metric:
        """From ``naive_mean`` and ``naive_sigma``, as ``run.json`` and the bundle keep them."""
        return cls(float(content["naive_mean"]), float(content["naive_sigma"]))

    def to_dict(self) -> dict[str, float]:
        return {"naive_mean": self.mean, "naive_sigma": self.sigma}

    def naive(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Depths and sigmas of the naive prediction, which scores 0."""
        return np.full(shape, self.mean), np.full(shape, self.sigma)

    def element_scores(self, depth: Values, depth_mean: Values, depth_sigma: Values) -> Values:
        """The score of each planet and bin before averaging, (N, W); unbounded below."""
        y, mean, sigma = map(_floating, (depth, depth_mean, depth_sigma))
        true = ideal_sigma(y.shape[-1])
        true = true if isinstance(y, np.ndarray) else y.new_tensor(true)
        predicted = _log_normal(y, mean, sigma.clip(SIGMA_FLOOR, None))
        naive, ideal = _log_normal(y, self.mean, self.sigma), _log_normal(y, y, true)
        return (predicted - naive) / (ideal - naive)

    def planet_scores(self, depth: Values, depth_mean: Values, depth_sigma: Values) -> Values:
        """Weighted mean over the bins for each planet, (N,), not clipped."""
        r = self.element_scores(depth, depth_mean, depth_sigma)
        weights = bin_weights(r.shape[-1])
        weights = weights if isinstance(r, np.ndarray) else r.new_tensor(weights)
        return (r * weights).sum(-1) / weights.sum()

    def score(self, depth: Values, depth_mean: Values, depth_sigma: Values, *, clip: bool = True) -> float:
        """The official score; ``clip=False`` keeps what lies below 0, to see how bad it is."""
        score = float(self.planet_scores(depth, depth_mean, depth_sigma).mean())
        return float(np.clip(score, 0.0, 1.0)) if clip else score


def _floating(values: Values) -> Values:
    return values if hasattr(values, "new_tensor") else np.asarray(values, dtype=np.float64)


def _log_normal(x: Values, mean: Values | float, sigma: Values | float) -> Values:
    log_sigma = sigma.log() if hasattr(sigma, "new_tensor") else np.log(sigma)
    return -0.5 * ((x - mean) / sigma) ** 2 - log_sigma - 0.5 * np.log(2.0 * np.pi)


def gll_score(
    solution: pd.DataFrame,
    submission: pd.DataFrame,
    *,
    naive_mean: float,
    naive_sigma: float,
    check_ids: bool = False,
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
    check_ids : bool
        By default rows are matched by position, as at the host's, and never re-aligned. With ``check_ids``
        they are matched by ``planet_id``, which both frames must then have, every planet once.

    Returns
    -------
    float in [0, 1]; NaN in the submission gives NaN, as at the host's.

    Raises
    ------
    SubmissionError
        Negative or non-numeric values, a wrong number of columns or rows; with ``check_ids`` also planets
        that are missing, twice, or not in the solution. Columns are matched by position in any case.
    """
    if check_ids:
        submission = _in_the_order_of(solution, submission)
    truth = solution.drop(columns="planet_id", errors="ignore").to_numpy(dtype=np.float64)
    given = submission.drop(columns="planet_id", errors="ignore")
    check_numeric(given)
    values, n_bins = given.to_numpy(dtype=np.float64), truth.shape[1]
    _check_as_the_host_does(values, given.columns, shape=(len(truth), 2 * n_bins))
    return Metric(naive_mean, naive_sigma).score(truth, values[:, :n_bins], values[:, n_bins:])


def _in_the_order_of(solution: pd.DataFrame, submission: pd.DataFrame) -> pd.DataFrame:
    """The rows of the submission, one for each planet of the solution."""
    wanted, given = (
        _planet_ids(frame, name) for frame, name in ((solution, "solution"), (submission, "submission"))
    )
    for only, what in (
        (wanted.difference(given), "planets of the solution are not in the submission"),
        (given.difference(wanted), "planets of the submission are not in the solution"),
    ):
        if len(only):
            raise SubmissionError(what, where="planet_id", expected="the same planets", found=_some(only))
    return submission.iloc[given.get_indexer(wanted)]


def _planet_ids(frame: pd.DataFrame, name: str) -> pd.Index:
    """Of the column ``planet_id``, or of the index that is called so."""
    import pandas as pd

    if "planet_id" not in frame.columns and frame.index.name != "planet_id":
        fix = "name the column or index planet_id, or leave check_ids out: rows are then matched by position"
        raise SubmissionError(f"the {name} has no planet_id", where="check_ids", fix=fix)
    ids = pd.Index(frame["planet_id"] if "planet_id" in frame.columns else frame.index)
    twice = ids[ids.duplicated()].unique()
    if len(twice):
        what = f"planets are in the {name} more than once"
        raise SubmissionError(what, where="planet_id", expected="every planet once", found=_some(twice))
    return ids


def _some(planets: pd.Index) -> str:
    """The first five, and how many there are."""
    named = ", ".join(map(repr, planets[:5].tolist()))
    return named if len(planets) <= 5 else f"{named}, … ({len(planets)} in all)"


def check_numeric(frame: pd.DataFrame) -> None:
    """Raise `SubmissionError` for the first column that holds no numbers."""
    import pandas as pd

    for column, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise SubmissionError(
                "a submission column is not numeric",
                where=f"column {column}",
                expected="a number",
                found=str(dtype),
            )


def _check_as_the_host_does(values: np.ndarray, columns: pd.Index, *, shape: tuple[int, int]) -> None:
    if (values < 0).any():
        row, column = np.unravel_index(np.nanargmin(values), values.shape)
        raise SubmissionError(
            "negative values in the submission",
            where=f"column {columns[column]}",
            expected=">= 0",
            found=repr(float(values[row, column])),
            fix="clip depths at 0 and sigmas above 0",
        )
    order = "planet_id, then all wl_*, then all sigma_*"
    for name, axis, fix in (("columns", 1, order), ("rows", 0, "")):
        if values.shape[axis] != shape[axis]:
            what = f"wrong number of {name} in the submission"
            expected, found = str(shape[axis]), str(values.shape[axis])
            raise SubmissionError(what, expected=expected, found=found, fix=fix)
