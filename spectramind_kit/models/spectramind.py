"""The whole model: two encoders, a fusion, a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import check_batch, wavelengths_of
from spectramind_kit.models.series import masked_mean


@dataclass(frozen=True)
class Encoded:
    """What the encoders say: fgs1 (B, L, D), fgs1_mask (B, L), airs (B, 282, D)."""

    fgs1: Tensor
    fgs1_mask: Tensor
    airs: Tensor

    def with_fgs1_of(self, order: Tensor) -> Encoded:
        """The same with FGS1's embedding of row ``order[i]`` in row i: what is it worth?"""
        return Encoded(self.fgs1[order], self.fgs1_mask[order], self.airs)

    def with_airs_of(self, order: Tensor) -> Encoded:
        """The same with AIRS' embedding of row ``order[i]`` in row i."""
        return Encoded(self.fgs1, self.fgs1_mask, self.airs[order])


@dataclass(frozen=True)
class ModelOutput:
    """depth_mean, depth_sigma, delta, log_scale (B, 283); fused (B, 283, D); fgs1_embedding, airs_embedding
    (B, D).

    attention: of the fusion's last layer (see `CrossAttentionFusion`) when it was asked for and there is one.
    """

    depth_mean: Tensor
    depth_sigma: Tensor
    delta: Tensor
    log_scale: Tensor
    fused: Tensor
    fgs1_embedding: Tensor
    airs_embedding: Tensor
    attention: Tensor | None = None


class SpectraMind(nn.Module):
    """Wires the parts. Each is a module of its own; see `build_model` for building them from a config."""

    def __init__(
        self, *, fgs1_encoder: nn.Module, airs_encoder: nn.Module, fusion: nn.Module, decoder: nn.Module
    ):
        super().__init__()
        self.fgs1_encoder, self.airs_encoder, self.fusion, self.decoder = (
            fgs1_encoder,
            airs_encoder,
            fusion,
            decoder,
        )

    def forward(self, batch: Mapping[str, Tensor], *, attention: bool = False) -> ModelOutput:
        """``batch`` as in `spectramind_kit.models.batch.CONTRACT`. Raises `DataError` where it does not
        fit."""
        return self.decode(self.encode(batch), batch, attention=attention)

    def encode(self, batch: Mapping[str, Tensor]) -> Encoded:
        """Both encoders, apart from the fusion, so that an embedding can be exchanged between planets."""
        check_batch(batch)
        shape, time, mask = batch["fgs1_transit"], batch["time"], batch["mask"]
        fgs1, fgs1_mask = self.fgs1_encoder(batch["fgs1"], shape=shape, time=time, mask=mask)
        airs = self.airs_encoder(
            batch["airs"],
            time=time,
            mask=mask,
            shape=shape,
            bins=batch["bins"][:, 1:],
            wavelength_um=wavelengths_of(batch)[1:],
        )
        _check_encoders(fgs1, fgs1_mask, airs, batch["airs"])
        return Encoded(fgs1, fgs1_mask, airs)

    def decode(
        self, encoded: Encoded, batch: Mapping[str, Tensor], *, attention: bool = False
    ) -> ModelOutput:
        """Fusion and head on the encoders' output; of the batch only bins, star and anchor are read."""
        fused = self.fusion(
            encoded.airs,
            fgs1=encoded.fgs1,
            fgs1_mask=encoded.fgs1_mask,
            star=batch["star"],
            bins0=batch["bins"][:, 0],
            **({"weights": True} if attention else {}),
        )
        fused, weights = fused if isinstance(fused, tuple) else (fused, None)
        head = self.decoder(fused, anchor_depth=batch["anchor_depth"], anchor_err=batch["anchor_err"])
        return ModelOutput(
            head.depth_mean,
            head.depth_sigma,
            head.delta,
            head.log_scale,
            fused=fused,
            fgs1_embedding=masked_mean(encoded.fgs1, encoded.fgs1_mask),
            airs_embedding=encoded.airs.mean(1),
            attention=weights,
        )

    def backends(self) -> dict[str, str]:
        """What runs where, for the log: the scan (known after the first forward pass) and the graph
        layers."""
        found: dict[str, str] = {}
        for module in self.modules():
            for device, name in getattr(module, "scan_backend_used", {}).items():
                found[f"{module.form} scan on {device}"] = name
            if hasattr(module, "graph_layer_name"):
                found[f"graph {module.graph_layer_name}"] = module.backend
        return found

    def n_parameters(self) -> dict[str, int]:
        """Trainable numbers per part and in all."""
        parts = {name: sum(p.numel() for p in part.parameters()) for name, part in self.named_children()}
        return {**parts, "total": sum(parts.values())}


def _check_encoders(fgs1: Tensor, fgs1_mask: Tensor, airs: Tensor, flux: Tensor) -> None:
    """An encoder of the user's own must keep the contract: tell it where it is broken, not ten layers further
    on."""
    rows, n_airs = flux.shape[0], flux.shape[-1]
    if (
        fgs1.ndim != 3
        or fgs1.shape[0] != rows
        or tuple(fgs1_mask.shape) != tuple(fgs1.shape[:2])
        or fgs1_mask.dtype != torch.bool
    ):
        raise DataError(
            "the FGS1 encoder's output does not fit",
            where="model.fgs1_encoder",
            expected=f"tokens ({rows}, L, D) and a boolean mask ({rows}, L)",
            found=f"{tuple(fgs1.shape)} and {tuple(fgs1_mask.shape)} {fgs1_mask.dtype}",
        )
    if tuple(airs.shape[:2]) != (rows, n_airs) or airs.ndim != 3 or airs.shape[-1] != fgs1.shape[-1]:
        raise DataError(
            "the AIRS encoder's output does not fit",
            where="model.airs_encoder",
            expected=f"({rows}, {n_airs}, {fgs1.shape[-1]}), as wide as FGS1's tokens",
            found=str(tuple(airs.shape)),
        )
