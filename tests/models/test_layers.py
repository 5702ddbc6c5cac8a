"""The small pieces: NaN and masks, features out of range, heads that do not fit."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.layers import (
    bounded_features,
    check_heads,
    masked_mean,
    perceptron,
    valid_or_zero,
    widen,
)


def test_half_precision_is_widened_and_double_stays():
    """Guards against a float64 model that is judged in float32."""
    wanted = {torch.float16: torch.float32, torch.float32: torch.float32, torch.float64: torch.float64}
    assert {dtype: widen(torch.ones(1, dtype=dtype)).dtype for dtype in wanted} == wanted


def test_what_is_masked_is_never_read():
    """Guards against 0 · NaN: a NaN behind the end of a visit reaches neither the value nor the gradient."""
    tokens = torch.tensor([[[1.0], [3.0], [float("nan")]]], requires_grad=True)
    mask = torch.tensor([[True, True, False]])
    assert valid_or_zero(tokens, mask)[0, :, 0].tolist() == [1.0, 3.0, 0.0]
    assert valid_or_zero(tokens, None) is tokens
    mean = masked_mean(tokens, mask)
    mean.sum().backward()
    assert mean.tolist() == [[2.0]] and tokens.grad[0, :, 0].tolist() == [0.5, 0.5, 0.0]
    assert masked_mean(tokens, torch.zeros_like(mask)).tolist() == [[0.0]]


def test_features_are_bounded():
    """Guards against a star whose table says infinity."""
    given = torch.tensor([float("nan"), float("inf"), -float("inf"), 1e9, 0.5])
    assert bounded_features(given).tolist() == [0.0, 20.0, -20.0, 20.0, 0.5]


def test_a_perceptron_keeps_the_width():
    """Guards against layers under other names than saved states have."""
    layer = perceptron(6, 24, dropout=0.5).eval()
    assert layer(torch.randn(2, 3, 6)).shape == (2, 3, 6)
    assert [name for name, _ in layer.named_parameters()] == ["0.weight", "0.bias", "3.weight", "3.bias"]


def test_heads_that_do_not_divide_the_width_are_named():
    """Guards against a shape error from inside torch."""
    check_heads(12, 4, where="fusion")
    with pytest.raises(ConfigError, match="fusion.*width 12, heads 5"):
        check_heads(12, 5, where="fusion")
