"""The dual encoder: Mamba on FGS1, CNN/GNN on AIRS-CH0, cross-attention, a head with its own error bars.

Names load on first use, so that importing one part does not import the others.

Letters of the shape comments: B batch, T time steps, W wavelength bins of AIRS (282), L tokens, D width,
N state, H heads, P channels of a head, S star features, F features of a bin, K neighbours, E edges.
"""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "build_model": "build",
    "SpectraMind": "spectramind",
    "ModelOutput": "spectramind",
    "Encoded": "spectramind",
    "example_batch": "batch",
    "Mamba": "mamba",
    "Mamba2": "mamba",
    "Fgs1Mamba": "fgs1_mamba",
    "Fgs1Conv": "fgs1_conv",
    "AirsGnn": "airs_gnn",
    "CrossAttentionFusion": "fusion_xattn",
    "ConcatFusion": "fusion_plain",
    "LateFusion": "fusion_plain",
    "AirsOnlyFusion": "fusion_plain",
    "HeteroscedasticHead": "decoder_head",
    "DirectHead": "direct_head",
}
__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
