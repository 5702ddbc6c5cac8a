"""The graph's layers: as their formulas say, all backends equal, nodes permuted with the graph."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.models import graph_layers
from spectramind_kit.models.graph_layers import GRAPH_LAYERS, GatLayer, SageLayer
from spectramind_kit.models.wavelength_graph import build_wavelength_graph


def layer_of(name: str, backend: str = "auto", *, width: int = 16):
    torch.manual_seed(0)
    layer = GRAPH_LAYERS[name](width, heads=4, backend=backend).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return layer


@pytest.mark.parametrize("name", GRAPH_LAYERS)
@pytest.mark.parametrize("count", (1, 2, 5, 40))
def test_small_graphs(name, count, wavelength_um):
    """Guards against a crash on a cut-down set of bins."""
    small = build_wavelength_graph(wavelength_um[:count])
    assert layer_of(name)(torch.randn(2, count, 16).double(), small).isfinite().all()


@pytest.mark.parametrize("name", GRAPH_LAYERS)
@pytest.mark.parametrize("backend", ("dense", "fixed_k", "index_add", "torch_scatter"))
def test_backends_agree(name, backend, graph):
    """Guards against a backend that gives another model: outputs and all gradients equal."""
    if backend == "torch_scatter":
        pytest.importorskip("torch_scatter", exc_type=ImportError)
    reference, layer = layer_of(name, "fixed_k"), layer_of(name, backend)
    h = torch.randn(2, 282, 16, generator=torch.Generator().manual_seed(1)).double()
    results = []
    for each in (reference, layer):
        x = h.clone().requires_grad_()
        y = each(x, graph)
        (y * y.detach().cos()).sum().backward()
        results.append([y.detach(), x.grad, *(p.grad for p in each.parameters())])
    for found, wanted in zip(results[1], results[0]):
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", GRAPH_LAYERS)
@pytest.mark.parametrize("backend", ("dense", "fixed_k", "index_add"))
def test_nodes_permuted_with_the_graph(name, backend, graph):
    """Guards against a layer that knows a node by its number."""
    layer, order = layer_of(name, backend), torch.randperm(282, generator=torch.Generator().manual_seed(2))
    h = torch.randn(2, 282, 16, generator=torch.Generator().manual_seed(1)).double()
    assert torch.allclose(layer(h[:, order], graph.permuted(order)), layer(h, graph)[:, order], atol=1e-10)


def test_sage_is_the_mean_it_says(graph):
    """SageLayer against its formula, node by node in plain Python."""
    layer = layer_of("sage", "dense")
    h = torch.randn(1, 282, 16, generator=torch.Generator().manual_seed(1)).double()
    scores, found = layer.scores(graph), layer(h, graph)
    for i in (0, 77, 281):
        wanted = layer.own(h[0, i])
        for kind, linear in enumerate(layer.told):
            places = [
                k for k in range(graph.source.shape[1]) if graph.present[i, k] and graph.kind[i, k] == kind
            ]
            if not places:
                continue
            weights = torch.softmax(scores[i, places], dim=0)  # (edges, heads)
            values = linear(h[0, graph.source[i, places]]).unflatten(-1, (4, 4))
            wanted = wanted + (weights[..., None] * values).sum(0).flatten()
        assert torch.allclose(found[0, i], wanted, atol=1e-10)


def test_gat_is_the_attention_it_says(graph):
    """GatLayer against its formula, node by node in plain Python."""
    layer = layer_of("gat", "dense")
    h = torch.randn(1, 282, 16, generator=torch.Generator().manual_seed(1)).double()
    scores, found = layer.scores(graph), layer(h, graph)
    for i in (0, 77, 281):
        places = [k for k in range(graph.source.shape[1]) if graph.present[i, k]]
        senders = graph.source[i, places]
        raw = torch.nn.functional.leaky_relu(
            layer.asks(h[0, i]) + layer.offers(h[0, senders]) + scores[i, places], 0.2
        )
        values = layer.value(h[0, senders]).unflatten(-1, (4, 4))
        wanted = layer.own(h[0, i]) + (torch.softmax(raw, 0)[..., None] * values).sum(0).flatten()
        assert torch.allclose(found[0, i], wanted, atol=1e-10)


def test_messages_reach_the_neighbours_and_nobody_else(graph):
    """Guards against an edge list read the wrong way round: source tells node, not node tells source."""
    layer = SageLayer(16, backend="index_add").double()
    h = torch.zeros(1, 282, 16).double()
    touched = h.clone()
    touched[0, 50] = 1.0
    moved = (layer(touched, graph) - layer(h, graph)).abs().sum(-1)[0] > 1e-12
    told = {i for i in range(282) if 50 in graph.source[i][graph.present[i]].tolist()} | {50}
    assert set(moved.nonzero()[:, 0].tolist()) == told


def test_torch_scatter_asked_for_and_missing(monkeypatch):
    """Guards against a silent fallback, and against the OSError of a wheel that was built for another
    torch."""
    import builtins

    real = builtins.__import__

    def broken(name, *args, **settings):
        if name == "torch_scatter":
            raise OSError("undefined symbol")
        return real(name, *args, **settings)

    monkeypatch.setattr(builtins, "__import__", broken)
    monkeypatch.setattr(graph_layers, "_scatter_add", graph_layers._scatter_add.__wrapped__)
    with pytest.raises(DataError, match="pip install --no-build-isolation torch-scatter"):
        GatLayer(16, backend="torch_scatter")


@pytest.mark.parametrize("name", GRAPH_LAYERS)
def test_pyg_lib_serves_as_torch_scatter(name, graph, monkeypatch):
    """Guards the stand-in for torch_scatter on new versions of torch: the signature of pyg-lib's scatter, and
    equal results."""
    calls = []

    def scatter_sum(src, index, dim=-1, out=None, dim_size=None):
        calls.append(src.shape)
        size = list(src.shape)
        size[dim] = dim_size
        return src.new_zeros(size).index_add_(dim, index, src)

    package, ops = types.ModuleType("pyg_lib"), types.ModuleType("pyg_lib.ops")
    ops.scatter_sum = scatter_sum
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    monkeypatch.setitem(sys.modules, "pyg_lib", package)
    monkeypatch.setitem(sys.modules, "pyg_lib.ops", ops)
    graph_layers._scatter_add.cache_clear()
    h = torch.randn(2, 282, 16, generator=torch.Generator().manual_seed(1)).double()
    try:
        assert torch.allclose(
            layer_of(name, "torch_scatter")(h, graph), layer_of(name, "index_add")(h, graph), atol=1e-12
        )
        assert len(calls) > 1, "the probe and the layer"
        graph_layers._scatter_add.cache_clear()
        ops.scatter_sum = lambda *args, **settings: torch.zeros(1, 4, 1)
        with pytest.raises(DataError, match="does not work") as caught:
            layer_of(name, "torch_scatter")
        assert "it computes" in caught.value.found
    finally:
        graph_layers._scatter_add.cache_clear()
