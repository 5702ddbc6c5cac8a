"""What is done to a time series first."""

from __future__ import annotations

import torch

from spectramind_kit.models.series import clean, describe_time, pad_to_multiple, patch, patch_mask


def test_clean_keeps_nan_out_of_the_gradient():
    """Guards against 0 · NaN: a NaN in a masked or a valid step reaches neither value nor gradient."""
    x = torch.tensor([[1.0, float("nan"), float("inf"), 500.0, float("nan")]], requires_grad=True)
    y = clean(x, torch.tensor([[True, True, True, True, False]]))
    assert y.tolist() == [[1.0, 0.0, 0.0, 20.0, 0.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0]]


def test_patches_and_masks():
    """Guards against padded steps that count, and against the order of steps inside a patch."""
    values = torch.arange(14.0).reshape(1, 7, 2)
    assert patch(values, 3).shape == (1, 3, 6) and patch(values, 3)[0, 2].tolist() == [12.0, 13.0, 0, 0, 0, 0]
    assert patch_mask(torch.tensor([[True] * 4 + [False] * 3]), 3).tolist() == [[True, True, False]]
    assert pad_to_multiple(values, 7) is values


def test_time_is_described_by_shape_and_slope(series):
    """Guards against ingress and egress that look alike."""
    _, shape, time, mask = series()
    context = describe_time(shape, time, mask)
    assert torch.equal(context[..., 0], shape)
    ingress, egress = (
        context[0, (time[0] > -1.1) & (time[0] < -0.9), 1],
        context[0, (time[0] > 0.9) & (time[0] < 1.1), 1],
    )
    assert (ingress < 0).all() and (egress > 0).all()


def test_a_masked_neighbour_leaves_no_slope(series):
    """Guards against the step from the last valid point to what pads being read as an egress."""
    _, shape, time, mask = series()
    mask = mask & (time < 0)
    context = describe_time(shape, time, mask)
    assert (context[~mask] == 0).all() and (context[:, mask[0].sum() - 1, 1] == 0).all()
