"""The map of embeddings: named by what was computed, with every planet on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectramind_kit.diagnostics.figures.embedding import _quantities, plot_embedding


def test_maps_name_their_method_and_warn_of_folds(run, texts):
    """Guards against principal components called UMAP, and against folds mistaken for kinds of planets."""
    figure = plot_embedding(run, method="pca")
    assert "principal components" in figure.caption and "principal component 1" in texts(figure)
    assert f"({len(run.oof) + len(run.test)}; circles train" in figure.caption
    folds = replace(run, oof=replace(run.oof, fold=np.arange(len(run.oof)) % 3))
    figure = plot_embedding(folds, method="pca")
    assert "Each fold has a network of its own" in figure.caption and "fold 2" in texts(figure)


def test_each_sensors_embedding_can_be_shown(run):
    """Guards against a map of the fused embeddings under the name of a sensor."""
    other = replace(run, oof=replace(run.oof, fgs1_embedding=run.oof.fgs1_embedding[:, :7]), test=None)
    assert "fgs1 embedding, 7 numbers" in plot_embedding(other, which="fgs1", method="pca").caption
    assert "airs embedding, 16 numbers" in plot_embedding(other, which="airs", method="pca").caption


def test_planets_without_predictions_are_grey_not_fatal(run):
    """Guards against a map that breaks where some planets were embedded but never predicted."""
    known = replace(run, test=None, oof=run.oof.only(np.arange(4)))
    depth, spread = _quantities(known, np.r_[run.oof.planet_id[:4], 77, 78])
    assert np.isfinite(depth.value).tolist() == np.isfinite(spread.value).tolist() == [True] * 4 + [False] * 2


def test_two_planets_are_no_map(run):
    """Guards against a map of one test planet, while a kernel is edited."""
    few = replace(run, oof=None, test=run.test.only(np.arange(2)))
    assert "at least 3 planets" in plot_embedding(few).empty_because
