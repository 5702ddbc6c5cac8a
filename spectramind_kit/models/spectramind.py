"""The whole model: two encoders, a fusion, a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectramind_kit.configs.target import keywords
from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import check_batch, wavelengths_of
from spectramind_kit.models.flux_readout import flux_steps
from spectramind_kit.models.layers import masked_mean


@dataclass(frozen=True)
class Encoded:
    """What the encoders say. Rows of one field may be exchanged to see what an encoder is worth."""

    fgs1: Tensor  # (B, L, D)
    fgs1_mask: Tensor  # (B, L) bool
    airs: Tensor  # (B, 282, D)


@dataclass(frozen=True)
class ModelOutput:
    """The head's `HeadOutput`, and what led to it."""

    depth_mean: Tensor  # (B, 283) transit depth
    depth_sigma: Tensor  # (B, 283) transit depth, > 0
    delta: Tensor  # (B, 283)
    log_scale: Tensor  # (B, 283)
    fused: Tensor  # (B, 283, D)
    fgs1_embedding: Tensor  # (B, D)
    airs_embedding: Tensor  # (B, D)
    # of the fusion's last layer (see `CrossAttentionFusion`) when it was asked for and there is one
    attention: Tensor | None = None


class SpectraMind(nn.Module):
    """Wires the parts. Each is a module of its own; see `build_model` for building them from a config."""

    def __init__(
        self, *, fgs1_encoder: nn.Module, airs_encoder: nn.Module, fusion: nn.Module, decoder: nn.Module
    ):
        super().__init__()
        self.fgs1_encoder, self.airs_encoder = fgs1_encoder, airs_encoder
        self.fusion, self.decoder = fusion, decoder

    def forward(self, batch: Mapping[str, Tensor], *, attention: bool = False) -> ModelOutput:
        """``batch`` as in `models.batch.CONTRACT`. Raises `DataError` where it does not fit."""
        return self.decode(self.encode(batch), batch, attention=attention)

    def encode(self, batch: Mapping[str, Tensor]) -> Encoded:
        """Both encoders, apart from the fusion, so that an embedding can be exchanged between planets."""
        check_batch(batch)
        steps = {"shape": batch["transit_shape"], "time": batch["time"], "mask": batch["mask"]}
        white = _taken(self.fgs1_encoder, {"white": batch["white"]})
        fgs1, fgs1_mask = _tokens_and_mask(self.fgs1_encoder(batch["fgs1"], **steps, **white))
        bins, wavelength_um = batch["bins"][:, 1:], wavelengths_of(batch)[1:]
        airs = self.airs_encoder(batch["airs"], **steps, bins=bins, wavelength_um=wavelength_um)
        _check_encoders(fgs1, fgs1_mask, airs, batch["airs"])
        return Encoded(fgs1, fgs1_mask, airs)

    def decode(
        self, encoded: Encoded, batch: Mapping[str, Tensor], *, attention: bool = False
    ) -> ModelOutput:
        """Fusion and head on the encoders' output; of the batch bins, star and reference are read, and the
        fluxes where the fusion reads them out."""
        reads = getattr(self.fusion, "readout", None) is not None
        fused = self.fusion(
            encoded.airs,
            fgs1=encoded.fgs1,
            fgs1_mask=encoded.fgs1_mask,
            star=batch["star"],
            bins0=batch["bins"][:, 0],
            **({"flux": flux_steps(batch)} if reads else {}),
            **({"weights": True} if attention else {}),
        )
        # a fusion of one's own may give its tokens alone
        tokens, readings, weights = fused if isinstance(fused, tuple) else (fused, None, None)
        reference = {name: batch[name] for name in ("reference_depth", "reference_err")}
        direct = {"readings": readings, "visit_of": batch["visit_of"], "wavelength_um": wavelengths_of(batch)}
        head = self.decoder(tokens, **reference, **_taken(self.decoder, direct))
        return ModelOutput(
            head.depth_mean,
            head.depth_sigma,
            head.delta,
            head.log_scale,
            fused=tokens,
            fgs1_embedding=masked_mean(encoded.fgs1, encoded.fgs1_mask),
            airs_embedding=encoded.airs.mean(1),
            attention=weights,
        )

    def backends(self) -> dict[str, str]:
        """What runs where, for the log: scans (known after the first forward pass) and graph layers."""
        found: dict[str, str] = {}
        for module in self.modules():
            found |= getattr(module, "chosen_backends", dict)()
        return found

    def n_parameters(self) -> dict[str, int]:
        """Trainable numbers per part and in all."""
        parts = {name: sum(p.numel() for p in part.parameters()) for name, part in self.named_children()}
        return {**parts, "total": sum(parts.values())}


def _taken(part: nn.Module, offered: Mapping[str, Tensor | None]) -> dict[str, Tensor | None]:
    """What of an offer a part takes: one of the user's own may need less than the kit's."""
    names, takes_any = keywords(part.forward)
    return {name: value for name, value in offered.items() if takes_any or name in names}


def _tokens_and_mask(output: object) -> tuple[Tensor, Tensor]:
    if isinstance(output, tuple) and len(output) == 2 and all(torch.is_tensor(part) for part in output):
        return output
    found = f"a tensor {tuple(output.shape)}" if torch.is_tensor(output) else type(output).__name__
    raise DataError(
        "the FGS1 encoder's output does not fit",
        where="model.fgs1_encoder",
        expected="two tensors, tokens (B, L, D) and a boolean mask (B, L)",
        found=found,
    )


def _check_encoders(fgs1: Tensor, fgs1_mask: Tensor, airs: Tensor, flux: Tensor) -> None:
    """An encoder of the user's own must keep the contract: say so where it breaks it, not ten layers on."""
    rows, n_airs = flux.shape[0], flux.shape[-1]
    masked = fgs1_mask.shape == fgs1.shape[:2] and fgs1_mask.dtype == torch.bool
    if fgs1.ndim != 3 or fgs1.shape[0] != rows or not masked:
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
