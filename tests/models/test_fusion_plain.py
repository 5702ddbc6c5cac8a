"""The fusions without attention: which of them read FGS1, and where."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.models import AirsOnlyFusion, ConcatFusion, LateFusion
from spectramind_kit.models.flux_readout import FluxSteps


def fused_by(kind, *, fgs1_sign: float = 1.0, masked: bool = False, weights: bool = False):
    """What a fusion of this kind says of six AIRS bins and nine FGS1 tokens; the same draw for every call."""
    torch.manual_seed(0)
    fusion = kind(width=16, star_features=3, bin_features=2).eval()
    airs, fgs1, mask = torch.randn(2, 6, 16), torch.randn(2, 9, 16), torch.full((2, 9), not masked)
    ends = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2)}
    return fusion(airs, fgs1=fgs1_sign * fgs1, fgs1_mask=mask, **ends, weights=weights)


def readings_by(kind, *, fgs1_sign: float = 1.0):
    """The readings (2, 7, 4) of random fluxes, FGS1's times a sign."""
    torch.manual_seed(0)
    fusion = kind(width=16, star_features=3, bin_features=2, readings=4).eval()
    ends = {"star": torch.randn(2, 3), "bins0": torch.randn(2, 2)}
    fgs1, mask = torch.randn(2, 9, 16), torch.full((2, 9), True)
    time = torch.linspace(-2, 2, 30).expand(2, -1)
    values = torch.randn(2, 30, 7)
    values[..., 0] *= fgs1_sign
    steps = torch.full((2, 30), 1 / 30), torch.full((2, 30), True), -(time.abs() < 1).float(), time
    flux = FluxSteps(values, *steps)
    return fusion(torch.randn(2, 6, 16), fgs1=fgs1, fgs1_mask=mask, **ends, flux=flux).readings


@pytest.mark.parametrize("kind", (ConcatFusion, LateFusion))
def test_fgs1_reaches_every_bin(kind):
    """Guards against a fusion that leaves FGS1 out: its own bin and every AIRS bin move."""
    moved = (fused_by(kind).tokens - fused_by(kind, fgs1_sign=-1.0).tokens).abs().amax(-1)
    assert moved.shape == (2, 7) and (moved > 1e-4).all()


def test_airs_only_does_not_look_at_fgs1():
    """Guards against a comparison of fusions in which the one without FGS1 has it after all."""
    assert torch.equal(fused_by(AirsOnlyFusion).tokens, fused_by(AirsOnlyFusion, fgs1_sign=-1.0).tokens)
    assert torch.equal(readings_by(AirsOnlyFusion), readings_by(AirsOnlyFusion, fgs1_sign=-1.0))


@pytest.mark.parametrize("kind", (ConcatFusion, LateFusion))
def test_a_bin_reads_its_own_fluxes(kind):
    """Guards against readings of one bin that hold the fluxes of another, or not its own."""
    there, turned = readings_by(kind), readings_by(kind, fgs1_sign=-1.0)
    assert there.shape == (2, 7, 4) and torch.equal(there[:, 1:], turned[:, 1:])
    torch.testing.assert_close(there[:, 0], -turned[:, 0])
    assert fused_by(kind).readings is None, "without readings there are none"


@pytest.mark.parametrize("kind", (ConcatFusion, LateFusion, AirsOnlyFusion))
def test_an_empty_fgs1_is_survived_and_weights_are_none(kind):
    """Guards against NaN where every step of FGS1 is masked, and against a plot that asks for attention."""
    assert fused_by(kind, masked=True).tokens.isfinite().all()
    fused = fused_by(kind, weights=True)
    assert fused.attention is None and torch.equal(fused.tokens, fused_by(kind).tokens)
