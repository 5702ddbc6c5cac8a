"""The head that corrects the anchor: where it starts, and how far it may go."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.models import HeteroscedasticHead


def test_head_bounds_what_it_says():
    """Guards against an error bar that runs away: however large features and readings, sigma and mean stay
    within the bounds."""
    head = HeteroscedasticHead(width=8, readings=3, delta_bound=6.0, log_scale_bound=2.0)
    with torch.no_grad():
        for layers in (head.fgs1, head.airs):
            layers.mean.weight.normal_(std=1e3)
            layers.sigma.weight.normal_(std=1e3)
        head.linear.weight.normal_(std=1e3)
    anchor, err = torch.full((4, 9), 0.0147), torch.full((4, 9), 5e-5)
    out = head(
        torch.randn(4, 9, 8) * 1e3,
        reference_depth=anchor,
        reference_err=err,
        readings=1e3 * torch.randn(4, 9, 3),
    )
    assert (out.depth_mean - anchor).abs().max() <= 6.0 * 5e-5 * 1.001 and (out.depth_sigma > 0).all()
    assert float(out.depth_sigma.detach().max() / 5e-5) <= 2.718281828**2 * 1.001


def test_first_step_has_a_gradient():
    """Guards against a zero-initialised head whose gradient is zero too."""
    head = HeteroscedasticHead(width=8, readings=3)
    out = head(
        torch.randn(4, 9, 8),
        reference_depth=torch.rand(4, 9),
        reference_err=torch.ones(4, 9),
        readings=torch.randn(4, 9, 3),
    )
    (out.delta.sum() + out.log_scale.sum()).backward()
    for last in (head.airs.mean, head.airs.sigma, head.fgs1.mean, head.fgs1.sigma, head.linear):
        assert last.weight.grad.abs().sum() > 0


def test_readings_begin_at_the_anchor_and_move_the_mean_alone():
    """Guards against a fresh head that is not the anchor, and against readings that nothing reads or that
    widen the errors."""
    head, readings = HeteroscedasticHead(width=8, readings=3), torch.randn(4, 9, 3)
    given = {"reference_depth": torch.rand(4, 9), "reference_err": torch.ones(4, 9)}
    fused = torch.randn(4, 9, 8)
    fresh = head(fused, **given, readings=readings)
    assert torch.equal(fresh.depth_mean, given["reference_depth"])
    with torch.no_grad():
        head.linear.weight.fill_(1e-3)
    moved = head(fused, **given, readings=readings)
    torch.testing.assert_close(moved.delta, 1e-3 * readings.sum(-1), rtol=1e-3, atol=1e-6)
    assert torch.equal(moved.depth_sigma, fresh.depth_sigma)


@pytest.mark.parametrize("part", ["fgs1", "airs"])
def test_fgs1_has_last_layers_of_its_own(part):
    """Guards against FGS1's bin, which weighs as much as 58 others, being read by their layers."""
    head = HeteroscedasticHead(width=8)
    with torch.no_grad():
        getattr(head, part).mean.bias.fill_(1.0)
    given = {"reference_depth": torch.zeros(1, 5), "reference_err": torch.ones(1, 5)}
    moved = head(torch.randn(1, 5, 8), **given).delta[0] != 0.0
    assert moved.tolist() == ([True] + 4 * [False] if part == "fgs1" else [False] + 4 * [True])
