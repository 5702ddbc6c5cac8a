"""The dual encoder: Mamba on FGS1, CNN/GNN on AIRS-CH0, cross-attention, a head with its own error bars.

Names load on first use, so that importing one part does not import the others.

Letters of the shape comments: B batch, T time steps, W wavelength bins of AIRS (282), L tokens, D width,
N state, H heads, P channels of a head, S star features, F features of a bin, V visits, E edges.
"""

from __future__ import annotations

from importlib import import_module

_PUBLIC = {
    "build_model": "spectramind_kit.models.build",
    "SpectraMind": "spectramind_kit.models.spectramind",
    "ModelOutput": "spectramind_kit.models.spectramind",
    "Encoded": "spectramind_kit.models.spectramind",
    "example_batch": "spectramind_kit.models.batch",
    "Mamba": "spectramind_kit.models.mamba",
    "Mamba2": "spectramind_kit.models.mamba",
    "Fgs1Mamba": "spectramind_kit.models.fgs1_mamba",
    "Fgs1Conv": "spectramind_kit.models.fgs1_conv",
    "AirsGnn": "spectramind_kit.models.airs_gnn",
    "CrossAttentionFusion": "spectramind_kit.models.fusion_xattn",
    "ConcatFusion": "spectramind_kit.models.fusion_plain",
    "LateFusion": "spectramind_kit.models.fusion_plain",
    "AirsOnlyFusion": "spectramind_kit.models.fusion_plain",
    "HeteroscedasticHead": "spectramind_kit.models.decoder_head",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'spectramind_kit.models' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
