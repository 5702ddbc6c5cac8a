"""AIRS-CH0's encoder: convolutions along time per wavelength, then messages along the wavelength graph."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import check_choice
from spectramind_kit.models.graph_layers import GRAPH_LAYERS
from spectramind_kit.models.layers import bounded_features, perceptron
from spectramind_kit.models.temporal import TemporalCnn, TemporalMoments
from spectramind_kit.models.wavelength_graph import KeptGraph, Neighbours, WavelengthGraph

TEMPORAL = ("cnn", "moments")
_WAVES = 8
_AIRS_RANGE_UM = (1.9, 4.0)


def encode_wavelength(wavelength_um: Tensor) -> Tensor:
    """Sines and cosines of log-wavelength across AIRS-CH0's range: (W,) -> (W, 16)."""
    low, high = (math.log(w) for w in _AIRS_RANGE_UM)
    place = ((wavelength_um.log() - low) / (high - low)).clamp(-1.0, 2.0)
    angle = math.pi * place[:, None] * 2.0 ** torch.arange(_WAVES, device=place.device) / 2.0
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class GraphBlock(nn.Module):
    """Pre-norm residual block: messages, then a pointwise two-layer perceptron."""

    def __init__(self, width: int, *, layer: str, heads: int, backend: str, dropout: float):
        super().__init__()
        self.norm_messages, self.norm_mix = nn.LayerNorm(width), nn.LayerNorm(width)
        self.messages = GRAPH_LAYERS[layer](width, heads=heads, backend=backend)
        self.mix = perceptron(width, 2 * width, dropout=dropout)

    def forward(self, h: Tensor, graph: WavelengthGraph) -> Tensor:
        h = h + F.gelu(self.messages(self.norm_messages(h), graph))
        return h + self.mix(self.norm_mix(h))


class AirsGnn(nn.Module):
    """Light curves of all AIRS bins -> one vector per bin.

    Parameters
    ----------
    width : int             D
    bin_features : int      F of ``bins``
    temporal : str          ``cnn`` (convolutions and projections) or ``moments`` (projections on the transit)
    channels, blocks, time_bin, kernels : of `TemporalCnn`
    graph_depth : int       message-passing blocks; 0 leaves every wavelength to itself
    graph_layer : str       ``sage`` or ``gat``
    graph_backend : str     ``auto``, ``dense``, ``fixed_k``, ``index_add``, ``torch_scatter``
    heads : int             of the graph layers
    spectral, molecular, detector, regions : of `Neighbours`
    """

    def __init__(  # noqa: PLR0913 -- each is a key of configs/model/airs_encoder, flat as users set them
        self,
        *,
        width: int,
        bin_features: int,
        temporal: str = "cnn",
        channels: int = 12,
        blocks: int = 1,
        time_bin: int = 4,
        kernels: tuple[int, ...] = (3, 5, 7),
        graph_depth: int = 2,
        graph_layer: str = "sage",
        graph_backend: str = "auto",
        heads: int = 4,
        spectral: int = Neighbours.spectral,
        molecular: int = Neighbours.molecular,
        detector: int = Neighbours.detector,
        regions: int = Neighbours.regions,
        dropout: float = 0.0,
    ):
        super().__init__()
        check_choice(temporal, TEMPORAL, what="temporal", where="airs_encoder")
        check_choice(graph_layer, GRAPH_LAYERS, what="graph_layer", where="airs_encoder")
        self.graph = KeptGraph(Neighbours(spectral, molecular, detector, regions))
        self.moments = TemporalMoments()
        self.cnn, features = None, self.moments.out_features
        if temporal == "cnn":
            self.cnn = TemporalCnn(channels=channels, blocks=blocks, time_bin=time_bin, kernels=kernels)
            features += self.cnn.out_features
        self.embed = nn.Linear(features + bin_features + 2 * _WAVES, width)
        self.blocks = nn.ModuleList(
            GraphBlock(width, layer=graph_layer, heads=heads, backend=graph_backend, dropout=dropout)
            for _ in range(graph_depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, flux: Tensor, *, time: Tensor, mask: Tensor, shape: Tensor, bins: Tensor, wavelength_um: Tensor
    ) -> Tensor:
        """flux (B, T, W), time, mask, shape (B, T), bins (B, W, F), wavelength_um (W,) -> (B, W, D)."""
        series = self.moments(flux, shape=shape, time=time, mask=mask)
        if self.cnn is not None:
            learned = self.cnn(flux, shape=shape, time=time, mask=mask)
            series = torch.cat([series, learned.to(series.dtype)], dim=-1)
        bins = bounded_features(bins.to(series.dtype))
        place = encode_wavelength(wavelength_um).to(series.dtype).expand(series.shape[0], -1, -1)
        h = self.embed(torch.cat([series, bins, place], dim=-1))
        if self.blocks:
            graph = self.graph(wavelength_um)
            for block in self.blocks:
                h = block(h, graph)
        return self.norm(h)
