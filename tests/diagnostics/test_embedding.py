"""Maps of embeddings: what was computed is what is named."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from spectramind_kit.diagnostics.embedding import embed
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import PROBES


def two_groups(n: int = 60, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(n // 2, 8)), rng.normal(size=(n // 2, 8)) + 6.0])


def test_pca_is_an_isometry_of_what_it_keeps():
    """Oracle: two standardised, uncorrelated columns come back rotated only, distances kept."""
    x = np.random.default_rng(0).normal(size=(50, 2))
    found = embed(x, method="pca")
    scaled = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(
        np.linalg.norm(found.points[:, None] - found.points, axis=-1),
        np.linalg.norm(scaled[:, None] - scaled, axis=-1),
        atol=1e-9,
    )


def test_without_umap_the_map_is_named_pca(monkeypatch):
    """Guards against principal components that are shown as UMAP."""
    monkeypatch.setitem(sys.modules, "umap", None)
    found = embed(two_groups(), method="umap")
    assert found.method == "pca" and "umap-learn cannot be imported" in found.note
    assert "pip install umap-learn" in found.note and "[diagnostics]" in found.note
    assert found.axis_names[0] == "principal component 1"


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("numba needs NumPy 2.3 or less"),
        SystemError("initialization of _internal failed"),
        OSError("libllvm"),
    ],
)
def test_a_broken_umap_is_done_without(monkeypatch, error):
    """Guards against a report that fails at an optional picture: umap-learn's compiler breaks with every kind
    of error."""

    def fail():
        raise error

    monkeypatch.setitem(PROBES, "umap", fail)
    found = embed(two_groups(), method="umap")
    assert found.method == "pca" and str(error) in found.note


def test_few_planets_are_not_given_to_umap():
    """Guards against a neighbour graph of a handful of planets."""
    found = embed(two_groups(8), method="umap")
    assert found.method == "pca" and "only 8 planets" in found.note


def test_broken_embeddings_are_refused():
    """Guards against a map of NaN, and against a map of one planet."""
    with pytest.raises(DataError, match="not finite"):
        embed(np.full((5, 2), np.nan))
    with pytest.raises(DataError, match="at least 3"):
        embed(np.ones((2, 4)))
    assert np.isfinite(embed(np.ones((5, 4)), method="pca").points).all()


@pytest.mark.slow
def test_umap_keeps_groups_apart_and_repeats():
    """Guards against a UMAP call that loses its seed or mixes what is far apart."""
    pytest.importorskip("umap")
    x = two_groups()
    first, again = embed(x, seed=3), embed(x, seed=3)
    assert first.method == "umap"
    np.testing.assert_array_equal(first.points, again.points)
    a, b = first.points[:30], first.points[30:]
    spread = max(a.std(axis=0).max(), b.std(axis=0).max())
    assert np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)) > 3 * spread
