"""The wavelength graph: edges as promised, whatever the order in memory."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.models.wavelength_graph import (
    EDGE_TYPES,
    MOLECULAR_BANDS,
    Neighbours,
    build_wavelength_graph,
)


def test_edges_are_of_their_kind(graph, wavelength_um):
    """Guards against edge types that do not mean what they are called."""
    regions = torch.arange(282) * 8 // 282
    for i in (0, 1, 100, 141, 281):
        for j, kind, there in zip(
            graph.source[i].tolist(), graph.kind[i].tolist(), graph.present[i].tolist()
        ):
            if not there:
                continue
            assert j != i
            if EDGE_TYPES[kind] == "spectral":
                assert abs(i - j) <= 8
            elif EDGE_TYPES[kind] == "molecular":
                both = wavelength_um[[i, j]]
                assert any(((low <= both) & (both <= high)).all() for _, low, high in MOLECULAR_BANDS)
            else:
                assert regions[i] == regions[j]
    counts = [(graph.present & (graph.kind == k)).sum(1) for k in range(3)]
    assert (
        (counts[0] == 8).all()
        and (counts[1] <= 6).all()
        and (counts[1] > 0).float().mean() > 0.8
        and (counts[2] == 4).all()
    )
    assert graph.features.isfinite().all() and graph.features.abs().max() < 10


def test_the_order_in_memory_does_not_matter(graph, wavelength_um):
    """Guards against a graph that joins neighbours in the array instead of neighbours in wavelength."""
    order = torch.randperm(282, generator=torch.Generator().manual_seed(0))
    shuffled, wanted = build_wavelength_graph(wavelength_um[order]), graph.permuted(order)
    for name in ("source", "kind", "present", "features"):
        assert torch.equal(getattr(shuffled, name), getattr(wanted, name)), name


@pytest.mark.parametrize("count", (1, 2, 5, 40))
def test_small_graphs(count, wavelength_um):
    """Guards against a crash on a cut-down set of bins, and against a node that tells itself."""
    graph = build_wavelength_graph(wavelength_um[:count])
    own = torch.arange(count)[:, None].expand_as(graph.source)
    assert graph.n_nodes == count and graph.features.isfinite().all()
    assert (graph.source[graph.present] != own[graph.present]).all()
    assert graph.present.any() == torch.tensor(count > 1)


def test_the_numbers_of_neighbours_are_kept(wavelength_um):
    """Guards against a setting that nothing reads, and against a graph without edges of one type."""
    graph = build_wavelength_graph(wavelength_um, Neighbours(spectral=2, molecular=0, detector=3, regions=4))
    counts = [(graph.present & (graph.kind == k)).sum(1) for k in range(3)]
    assert (counts[0] == 2).all() and (counts[1] == 0).all() and (counts[2] == 3).all()
    told = graph.source[graph.kind == 2].reshape(282, 3)
    assert (told * 4 // 282 == (torch.arange(282) * 4 // 282)[:, None]).all()
