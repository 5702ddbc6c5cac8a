"""AIRS-CH0's encoder: convolutions along time per wavelength, then messages along the wavelength graph."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError, nearest
from spectramind_kit.models.graph_layers import GRAPH_LAYERS
from spectramind_kit.models.temporal import TemporalCnn, TemporalMoments
from spectramind_kit.models.wavelength_graph import WavelengthGraph, build_wavelength_graph

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
        self.mix = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )

    def forward(self, h: Tensor, graph: WavelengthGraph) -> Tensor:
        h = h + F.gelu(self.messages(self.norm_messages(h), graph))
        return h + self.mix(self.norm_mix(h))


class AirsGnn(nn.Module):
    """Light curves of all AIRS bins -> one vector per bin.

    Parameters
    ----------
    width : int             D
    bin_features : int      F of ``bins``
    temporal : str          ``cnn`` (convolutions and projections) or ``moments`` (projections on the transit
    alone) channels, blocks, time_bin, kernels : of `TemporalCnn`
    graph_depth : int       message-passing blocks; 0 leaves every wavelength to itself
    graph_layer : str       ``sage`` or ``gat``
    graph_backend : str     ``auto``, ``dense``, ``fixed_k``, ``index_add``, ``torch_scatter``
    spectral, molecular, detector, regions : of `build_wavelength_graph`
    """

    def __init__(
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
        spectral: int = 8,
        molecular: int = 6,
        detector: int = 4,
        regions: int = 8,
        dropout: float = 0.0,
    ):
        super().__init__()
        for name, value, choices in (
            ("temporal", temporal, TEMPORAL),
            ("graph_layer", graph_layer, GRAPH_LAYERS),
        ):
            if value not in choices:
                raise ConfigError(
                    f"unknown {name}", where="airs_encoder", found=value, fix=nearest(value, choices)
                )
        self.width = width
        self.graph_settings = {
            "spectral": spectral,
            "molecular": molecular,
            "detector": detector,
            "regions": regions,
        }
        self.moments = TemporalMoments()
        self.cnn = (
            TemporalCnn(channels=channels, blocks=blocks, time_bin=time_bin, kernels=kernels)
            if temporal == "cnn"
            else None
        )
        series = self.moments.out_features + (self.cnn.out_features if self.cnn is not None else 0)
        self.embed = nn.Linear(series + bin_features + 2 * _WAVES, width)
        self.blocks = nn.ModuleList(
            GraphBlock(width, layer=graph_layer, heads=heads, backend=graph_backend, dropout=dropout)
            for _ in range(graph_depth)
        )
        self.norm = nn.LayerNorm(width)
        self._graph: tuple[Tensor, WavelengthGraph] | None = None

    def graph(self, wavelength_um: Tensor) -> WavelengthGraph:
        """The graph of these wavelengths, built once and kept until they change."""
        if (
            self._graph is None
            or self._graph[0].device != wavelength_um.device
            or not torch.equal(self._graph[0], wavelength_um)
        ):
            built = build_wavelength_graph(wavelength_um, **self.graph_settings).to(wavelength_um.device)
            self._graph = (wavelength_um.detach().clone(), built)
        return self._graph[1]

    def forward(
        self, flux: Tensor, *, time: Tensor, mask: Tensor, shape: Tensor, bins: Tensor, wavelength_um: Tensor
    ) -> Tensor:
        """flux (B, T, W), time, mask, shape (B, T), bins (B, W, F), wavelength_um (W,) -> (B, W, D).

        With two visits in a row, flux (B, V, T, W) and time, mask, shape (B, V, T): each visit is read by
        itself, then their features are averaged, weighted by the valid steps.
        """
        if flux.ndim == 4:
            batch, visits = flux.shape[:2]
            each = self._series(*(t.flatten(0, 1) for t in (flux, time, mask, shape))).unflatten(
                0, (batch, visits)
            )
            weight = mask.to(each.dtype).mean(-1)[:, :, None, None]
            series = (each * weight).sum(1) / weight.sum(1).clamp(min=1e-6)
        else:
            series = self._series(flux, time, mask, shape)
        bins = torch.nan_to_num(bins.to(series.dtype), nan=0.0, posinf=20.0, neginf=-20.0).clamp(-20.0, 20.0)
        place = encode_wavelength(wavelength_um).to(series.dtype).expand(series.shape[0], -1, -1)
        h = self.embed(torch.cat([series, bins, place], dim=-1))
        if self.blocks:
            graph = self.graph(wavelength_um)
            for block in self.blocks:
                h = block(h, graph)
        return self.norm(h)

    def _series(self, flux: Tensor, time: Tensor, mask: Tensor, shape: Tensor) -> Tensor:
        parts = [self.moments(flux, shape=shape, time=time, mask=mask)]
        if self.cnn is not None:
            parts.append(self.cnn(flux, shape=shape, time=time, mask=mask).to(parts[0].dtype))
        return torch.cat(parts, dim=-1)
