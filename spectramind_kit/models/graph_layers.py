"""Message passing on the wavelength graph: `SageLayer` (weighted mean per edge type), `GatLayer` (attention).

Each layer can add its messages up in four ways that agree to rounding (a test holds it): ``dense`` adjacency
matrices, ``fixed_k`` gather over the table of neighbours, ``index_add`` over the list of edges,
``torch_scatter`` (or pyg-lib's scatter).
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import DataError, check_choice
from spectramind_kit.models.layers import VERY_NEGATIVE, check_heads, widen
from spectramind_kit.models.wavelength_graph import EDGE_FEATURES, EDGE_TYPES, WavelengthGraph
from spectramind_kit.optional_packages import describe, scatter_add_function

GRAPH_BACKENDS = ("auto", "dense", "fixed_k", "index_add", "torch_scatter")
_FASTEST = {"sage": "dense", "gat": "fixed_k"}  # of those measured: docs/model.md


@cache
def _scatter_add():
    """torch_scatter's ``scatter_add``, or pyg-lib's, after it has given the right sums."""
    try:
        return scatter_add_function()
    except Exception as error:  # a wheel built for another torch fails with OSError, not ImportError
        raise DataError(
            "torch_scatter was asked for and does not work",
            where="graph_backend=torch_scatter",
            found=describe(error),
            expected="torch_scatter, or pyg-lib 0.7 or later",
            fix="pip install --no-build-isolation torch-scatter, or graph_backend=auto",
        ) from error


def resolve_graph_backend(wanted: str, *, layer: str) -> str:
    """``auto`` is the fastest for ``sage`` or ``gat``; ``torch_scatter`` is tried at once."""
    check_choice(wanted, GRAPH_BACKENDS, what="graph_backend")
    if wanted == "torch_scatter":
        _scatter_add()
    return _FASTEST[layer] if wanted == "auto" else wanted


def _sum_edges(messages: Tensor, target: Tensor, nodes: int, *, backend: str) -> Tensor:
    """messages (B, E, ...) summed into their target nodes: (B, W, ...)."""
    if backend == "torch_scatter":
        return _scatter_add()(messages, target, dim=1, dim_size=nodes)
    return messages.new_zeros(messages.shape[0], nodes, *messages.shape[2:]).index_add_(1, target, messages)


def _edge_list(graph: WavelengthGraph) -> tuple[Tensor, Tensor]:
    """Node and place (E,) of every edge that is there."""
    return graph.present.nonzero(as_tuple=True)


class _EdgeScores(nn.Module):
    """One number per edge and head from the edge's type and features: (W, K, H)."""

    def __init__(self, heads: int):
        super().__init__()
        self.kind = nn.Embedding(len(EDGE_TYPES), heads)
        self.features = nn.Sequential(nn.Linear(EDGE_FEATURES, 16), nn.GELU(), nn.Linear(16, heads))
        nn.init.zeros_(self.kind.weight)

    def forward(self, graph: WavelengthGraph) -> Tensor:
        with torch.autocast(device_type=graph.features.device.type, enabled=False):
            dtype = self.kind.weight.dtype
            return self.features(graph.features.to(dtype)) + self.kind(graph.kind)


class _GraphLayer(nn.Module):
    """h (B, W, D) -> (B, W, D) on a `WavelengthGraph`, by ``backend``."""

    name = ""

    def __init__(self, width: int, *, heads: int = 4, backend: str = "auto"):
        super().__init__()
        check_heads(width, heads, where="graph layer")
        self.heads, self.backend = heads, resolve_graph_backend(backend, layer=self.name)
        self.own = nn.Linear(width, width)

    def chosen_backends(self) -> dict[str, str]:
        return {f"graph {self.name}": self.backend}


class SageLayer(_GraphLayer):
    """h_i <- W_0 h_i + sum over edge types r of W_r (weighted mean of the neighbours of type r).

    The weights come from the edge's features alone (a softmax over a node's edges of one type), per head.
    """

    name = "sage"

    def __init__(self, width: int, *, heads: int = 4, backend: str = "auto"):
        super().__init__(width, heads=heads, backend=backend)
        self.told = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in EDGE_TYPES)
        self.scores = _EdgeScores(heads)

    def forward(self, h: Tensor, graph: WavelengthGraph) -> Tensor:
        out = self.own(h)
        for kind, linear in enumerate(self.told):
            values = linear(h).unflatten(-1, (self.heads, -1))
            out = out + self._mean(values, graph, self._weights(graph, kind)).flatten(-2)
        return out

    def _weights(self, graph: WavelengthGraph, kind: int) -> Tensor:
        """(W, K, H), zero outside ``kind``, summing to one over K wherever the node has such an edge."""
        chosen = (graph.present & (graph.kind == kind))[..., None]
        scores = self.scores(graph).masked_fill(~chosen, VERY_NEGATIVE)
        return torch.softmax(scores, dim=1) * chosen

    def _mean(self, values: Tensor, graph: WavelengthGraph, weights: Tensor) -> Tensor:
        """values (B, W, H, D/H), weights (W, K, H) -> (B, W, H, D/H)."""
        weights, nodes = weights.to(values.dtype), graph.n_nodes
        if self.backend == "dense":
            rows = torch.arange(nodes, device=values.device)[:, None].expand_as(graph.source)
            matrix = weights.new_zeros(nodes, nodes, self.heads)
            matrix = matrix.index_put((rows, graph.source), weights, accumulate=True)
            return torch.einsum("ijh,bjhd->bihd", matrix, values)
        if self.backend == "fixed_k":
            # twice as fast as an einsum, which makes tiny products
            return (weights[..., None] * values[:, graph.source]).sum(2)
        node, place = _edge_list(graph)
        messages = values[:, graph.source[node, place]] * weights[node, place][None, :, :, None]
        return _sum_edges(messages, node, nodes, backend=self.backend)


class GatLayer(_GraphLayer):
    """h_i <- W_0 h_i + sum over edges of alpha_ij W_v h_j, alpha by additive attention (GATv1).

    The attention also sees the edge's features; its softmax runs over all edges of a node, of all types, in
    fp32.
    """

    name = "gat"

    def __init__(self, width: int, *, heads: int = 4, backend: str = "auto"):
        super().__init__(width, heads=heads, backend=backend)
        self.value = nn.Linear(width, width, bias=False)
        self.asks = nn.Linear(width, heads, bias=False)
        self.offers = nn.Linear(width, heads, bias=False)
        self.scores = _EdgeScores(heads)

    def forward(self, h: Tensor, graph: WavelengthGraph) -> Tensor:
        values = self.value(h).unflatten(-1, (self.heads, -1))
        asks, offers, edges = widen(self.asks(h)), widen(self.offers(h)), widen(self.scores(graph))
        step = {"dense": self._dense, "fixed_k": self._fixed_k}.get(self.backend, self._listed)
        return self.own(h) + step(values, asks, offers, edges, graph).flatten(-2)

    @staticmethod
    def _fixed_k(
        values: Tensor, asks: Tensor, offers: Tensor, edges: Tensor, graph: WavelengthGraph
    ) -> Tensor:
        scores = F.leaky_relu(asks[:, :, None] + offers[:, graph.source] + edges, 0.2)  # (B, W, K, H)
        scores = scores.masked_fill(~graph.present[..., None], VERY_NEGATIVE)
        alpha = (torch.softmax(scores, dim=2) * graph.present[..., None]).to(values.dtype)
        return (alpha[..., None] * values[:, graph.source]).sum(2)

    @staticmethod
    def _dense(values: Tensor, asks: Tensor, offers: Tensor, edges: Tensor, graph: WavelengthGraph) -> Tensor:
        # one (W, W) sheet per edge type, since two nodes may be joined by edges of several types
        nodes, kinds = graph.n_nodes, len(EDGE_TYPES)
        node, place = _edge_list(graph)
        where = (graph.kind[node, place], node, graph.source[node, place])
        there = torch.zeros(kinds, nodes, nodes, dtype=torch.bool, device=values.device)
        there = there.index_put(where, torch.ones_like(node, dtype=torch.bool))
        sheet = edges.new_zeros(kinds, nodes, nodes, edges.shape[-1]).index_put(where, edges[node, place])
        scores = F.leaky_relu(asks[:, None, :, None] + offers[:, None, None] + sheet, 0.2)  # (B, R, W, W, H)
        scores = scores.masked_fill(~there[..., None], VERY_NEGATIVE)
        best = scores.amax(dim=(1, 3), keepdim=True)
        alpha = torch.exp(scores - best) * there[..., None]
        alpha = alpha / alpha.sum(dim=(1, 3), keepdim=True).clamp(min=1e-20)
        return torch.einsum("brijh,bjhd->bihd", alpha.to(values.dtype), values)

    def _listed(
        self, values: Tensor, asks: Tensor, offers: Tensor, edges: Tensor, graph: WavelengthGraph
    ) -> Tensor:
        node, place = _edge_list(graph)
        sender = graph.source[node, place]
        scores = F.leaky_relu(asks[:, node] + offers[:, sender] + edges[node, place], 0.2)  # (B, E, H)
        # any shift per node leaves a softmax as it is; the maximum keeps exp() finite
        best = scores.new_full((scores.shape[0], graph.n_nodes, scores.shape[2]), -math.inf)
        best = best.scatter_reduce(1, node[None, :, None].expand_as(scores), scores.detach(), "amax")
        weight = torch.exp(scores - best[:, node])
        total = _sum_edges(weight, node, graph.n_nodes, backend=self.backend)
        alpha = (weight / total[:, node].clamp(min=1e-20)).to(values.dtype)
        return _sum_edges(values[:, sender] * alpha[..., None], node, graph.n_nodes, backend=self.backend)


GRAPH_LAYERS = {"sage": SageLayer, "gat": GatLayer}
