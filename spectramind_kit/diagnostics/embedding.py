"""Two-dimensional maps of the network's embeddings: UMAP, or principal components named as such."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from spectramind_kit.errors import DataError, check_choice
from spectramind_kit.optional_packages import describe, how_to_install, probe

METHODS = ("umap", "pca")
_FEWEST_FOR_UMAP = 20
_NEIGHBOURS, _MIN_DIST = 15, 0.2  # UMAP's two main settings (McInnes, Healy & Melville 2018)


@dataclass(frozen=True)
class Embedding:
    """Where each of N planets lies in the plane."""

    points: np.ndarray  # (N, 2)
    method: str  # what was really computed
    note: str = ""  # why, when that is not what was asked

    @property
    def method_name(self) -> str:
        return {"umap": "UMAP", "pca": "principal components"}[self.method]

    @property
    def axis_names(self) -> tuple[str, str]:
        name = self.method_name.removesuffix("s")
        return f"{name} 1", f"{name} 2"


def embed(features: np.ndarray, *, method: str = "umap", seed: int = 0) -> Embedding:
    """Map N embeddings ``features`` (N, D), finite, to the plane.

    Each column is standardised first: UMAP and PCA both measure Euclidean distance. ``method="umap"`` falls
    back to PCA where umap-learn does not work or there are fewer than 20 planets (a neighbour graph of so few
    says nothing), and the result says so. UMAP is seeded, hence single-threaded and reproducible; it costs
    about 14 CPU s of compilation once per process.

    Raises
    ------
    ConfigError
        Unknown method.
    DataError
        Fewer than 3 planets, or values that are not finite.
    """
    check_choice(method, METHODS, what="embedding method")
    scaled = _standardised(np.asarray(features, dtype=np.float64))
    if method == "pca":
        return _pca(scaled)
    if len(scaled) < _FEWEST_FOR_UMAP:
        return _pca(scaled, instead=f"only {len(scaled)} planets, UMAP needs {_FEWEST_FOR_UMAP}")
    if why := probe("umap"):
        return _pca(scaled, instead=f"umap-learn cannot be imported ({why}): {how_to_install('umap')}")
    try:
        return _umap(scaled, seed)
    except Exception as error:  # it compiles at its first call, for this very processor and its versions
        return _pca(scaled, instead=f"umap-learn failed ({describe(error)})")


def _standardised(features: np.ndarray) -> np.ndarray:
    if features.ndim != 2 or len(features) < 3:
        what = "a map of embeddings needs at least 3 planets"
        raise DataError(what, expected="(N >= 3, D)", found=str(features.shape))
    broken = int((~np.isfinite(features)).any(axis=1).sum())
    if broken:
        fix = "look at the learning curve: the network has diverged"
        raise DataError("embeddings are not finite", where=f"{broken} planets", fix=fix)
    spread = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _umap(scaled: np.ndarray, seed: int) -> Embedding:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "n_jobs overridden by random_state": that is what we ask for
        from umap import UMAP

        mapping = UMAP(
            n_neighbors=min(_NEIGHBOURS, len(scaled) - 1),
            min_dist=_MIN_DIST,
            random_state=seed,
            n_jobs=1,
            init="spectral" if len(scaled) > 30 else "random",
        )
        points = mapping.fit_transform(scaled)
    return Embedding(np.asarray(points, dtype=np.float64), "umap")


def _pca(scaled: np.ndarray, *, instead: str = "") -> Embedding:
    """The first two principal components; ``instead`` says why it is not UMAP."""
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    points = np.zeros((len(scaled), 2))
    kept = min(2, values.size)
    # The sign of a component is arbitrary: fix it so that the largest loading is positive and figures repeat.
    sign = np.sign(right[np.arange(kept), np.abs(right[:kept]).argmax(axis=1)])
    points[:, :kept] = left[:, :kept] * values[:kept] * np.where(sign == 0, 1.0, sign)
    return Embedding(points, "pca", note=f"PCA instead of UMAP: {instead}" if instead else "")
