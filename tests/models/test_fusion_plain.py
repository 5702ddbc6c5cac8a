"""The fusions without attention: which of them read FGS1, and where."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.models import AirsOnlyFusion, ConcatFusion, LateFusion


def fused_by(kind, *, fgs1_sign: float = 1.0, masked: bool = False, weights: bool = False):
    """What a fusion of this kind says of six AIRS bins and nine FGS1 tokens; the same draw for every call."""
    torch.manual_seed(0)
    fusion = kind(width=16, star_features=3, bin_features=2).eval()
    airs, fgs1, mask = torch.randn(2, 6, 16), torch.randn(2, 9, 16), torch.full((2, 9), not masked)
    ends = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2)}
    return fusion(airs, fgs1=fgs1_sign * fgs1, fgs1_mask=mask, **ends, weights=weights)


@pytest.mark.parametrize("kind", (ConcatFusion, LateFusion))
def test_fgs1_reaches_every_bin(kind):
    """Guards against a fusion that leaves FGS1 out: its own bin and every AIRS bin move."""
    moved = (fused_by(kind) - fused_by(kind, fgs1_sign=-1.0)).abs().amax(-1)
    assert moved.shape == (2, 7) and (moved > 1e-4).all()


def test_airs_only_does_not_look_at_fgs1():
    """Guards against a comparison of fusions in which the one without FGS1 has it after all."""
    assert torch.equal(fused_by(AirsOnlyFusion), fused_by(AirsOnlyFusion, fgs1_sign=-1.0))


@pytest.mark.parametrize("kind", (ConcatFusion, LateFusion, AirsOnlyFusion))
def test_an_empty_fgs1_is_survived_and_weights_are_none(kind):
    """Guards against NaN where every step of FGS1 is masked, and against a plot that asks for attention."""
    assert fused_by(kind, masked=True).isfinite().all()
    fused, weights = fused_by(kind, weights=True)
    assert weights is None and torch.equal(fused, fused_by(kind))
