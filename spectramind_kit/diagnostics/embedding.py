"""Two-dimensional maps of the network's embeddings: UMAP, or principal components named as such."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from spectramind_kit.errors import ConfigError, DataError, nearest
from spectramind_kit.optional_packages import describe, probe

METHODS = ("umap", "pca")
_FEWEST_FOR_UMAP = 20


@dataclass(frozen=True)
class Embedding:
    """``points`` (N, 2); ``method`` is what was really computed, ``note`` says why when that is not what was
    asked."""

    points: np.ndarray
    method: str
    note: str = ""

    @property
    def axis_names(self) -> tuple[str, str]:
        return (
            ("UMAP 1", "UMAP 2")
            if self.method == "umap"
            else ("principal component 1", "principal component 2")
        )


def embed(
    features: np.ndarray, *, method: str = "umap", seed: int = 0, neighbours: int = 15, min_dist: float = 0.2
) -> Embedding:
    """Map N embeddings of width D to the plane.

    Each column is standardised first: UMAP and PCA both measure Euclidean distance. ``method="umap"`` falls
    back to PCA where umap-learn does not work or there are fewer than 20 planets (a neighbour graph of so few
    says nothing), and the result says so. UMAP is seeded, hence single-threaded and reproducible; it costs
    about 14 CPU s of compilation once per process.

    Parameters
    ----------
    features : (N, D), finite
    neighbours, min_dist : UMAP's two main settings (McInnes, Healy & Melville 2018)

    Raises
    ------
    ConfigError
        Unknown method.
    DataError
        Fewer than 3 planets, or values that are not finite.
    """
    if method not in METHODS:
        raise ConfigError("unknown embedding method", found=method, fix=nearest(method, METHODS))
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or len(features) < 3:
        raise DataError(
            "a map of embeddings needs at least 3 planets", expected="(N >= 3, D)", found=str(features.shape)
        )
    if not np.isfinite(features).all():
        raise DataError(
            "embeddings are not finite",
            where=f"{int((~np.isfinite(features)).any(axis=1).sum())} planets",
            fix="look at the learning curve: the network has diverged",
        )
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if method == "pca":
        return _pca(scaled)
    if len(features) < _FEWEST_FOR_UMAP:
        return _pca(
            scaled, note=f"PCA instead of UMAP: only {len(features)} planets, UMAP needs {_FEWEST_FOR_UMAP}"
        )
    if why := probe("umap"):
        return _pca(scaled, note=f"PCA instead of UMAP: umap-learn cannot be imported ({why})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "n_jobs overridden by random_state": that is what we ask for
            from umap import UMAP

            points = UMAP(
                n_neighbors=min(neighbours, len(features) - 1),
                min_dist=min_dist,
                random_state=seed,
                n_jobs=1,
                init="spectral" if len(features) > 30 else "random",
            ).fit_transform(scaled)
    except (
        Exception
    ) as error:  # it compiles at its first call, for this very processor and these very versions
        return _pca(scaled, note=f"PCA instead of UMAP: umap-learn failed ({describe(error)})")
    return Embedding(points=np.asarray(points, dtype=np.float64), method="umap")


def _pca(scaled: np.ndarray, *, note: str = "") -> Embedding:
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    points = np.zeros((len(scaled), 2))
    kept = min(2, values.size)
    # The sign of a component is arbitrary: fix it so that the largest loading is positive and figures repeat.
    sign = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)])
    points[:, :kept] = left[:, :kept] * values[:kept] * np.where(sign == 0, 1.0, sign)
    return Embedding(points=points, method="pca", note=note)
