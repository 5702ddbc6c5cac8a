"""The head: where it starts, and how far it may go."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.metric import Metric
from spectramind_kit.models import HeteroscedasticHead


def test_head_bounds_what_it_says():
    """Guards against an error bar that runs away: however large the features, sigma and mean stay within the
    bounds."""
    head = HeteroscedasticHead(width=8, delta_bound=6.0, log_scale_bound=2.0)
    with torch.no_grad():
        for layers in (head.fgs1, head.airs):
            layers[-1].weight.normal_(std=1e3)
    anchor, err = torch.full((4, 9), 0.0147), torch.full((4, 9), 5e-5)
    out = head(torch.randn(4, 9, 8) * 1e3, anchor_depth=anchor, anchor_err=err)
    assert (out.depth_mean - anchor).abs().max() <= 6.0 * 5e-5 * 1.001 and (out.depth_sigma > 0).all()
    assert float(out.depth_sigma.detach().max() / 5e-5) <= 2.718281828**2 * 1.001


def test_raw_head_starts_at_the_naive_prediction():
    """Guards against a start that scores below 0, and statistics that are given and not used."""
    inputs = {"anchor_depth": torch.rand(4, 9), "anchor_err": torch.rand(4, 9)}
    for head, mean, sigma in (
        (HeteroscedasticHead(width=8, form="raw"), Metric().mean, Metric().sigma),
        (HeteroscedasticHead(width=8, form="raw", depth_location=0.015, depth_spread=0.01), 0.015, 0.01),
    ):
        out = head(torch.randn(4, 9, 8), **inputs)
        assert torch.equal(out.depth_mean, torch.full((4, 9), mean))
        assert torch.equal(out.depth_sigma, torch.full((4, 9), sigma))


def test_first_step_has_a_gradient():
    """Guards against a zero-initialised head whose gradient is zero too."""
    head = HeteroscedasticHead(width=8)
    out = head(torch.randn(4, 9, 8), anchor_depth=torch.rand(4, 9), anchor_err=torch.ones(4, 9))
    (out.delta.sum() + out.log_scale.sum()).backward()
    assert head.airs[-1].weight.grad.abs().sum() > 0 and head.fgs1[-1].weight.grad.abs().sum() > 0


def test_an_unknown_form_names_the_nearest():
    """Guards against a misspelt form that trains the other one."""
    with pytest.raises(ConfigError, match="anchored"):
        HeteroscedasticHead(width=8, form="anchord")
