"""FGS1's light curve as tokens."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.fgs1_stack import Fgs1Tokens


def test_a_token_is_a_patch_of_its_own_steps(series):
    """Guards against patches that overlap, and against a token that is valid without a valid step."""
    flux, shape, time, mask = series(bins=1)
    mask = mask.clone()
    mask[:, 49:] = False
    tokens = Fgs1Tokens(width=16, patch_steps=8)
    steps = {"shape": shape, "time": time, "mask": mask}
    found, found_mask = tokens(flux[..., 0], None, **steps)
    assert found.shape == (2, 8, 16) and found_mask[0].tolist() == [True] * 7 + [False]
    changed = flux[..., 0].clone()
    changed[:, 16:24] += 1.0
    for curves in ((changed, None), (flux[..., 0], changed - flux[..., 0])):
        moved = (tokens(*curves, **steps)[0] - found).abs().amax(-1) > 0
        assert moved[0].nonzero()[:, 0].tolist() == [2]


def test_masked_steps_are_not_read(series):
    """Guards against NaN or garbage behind the end of a visit."""
    flux, shape, time, mask = series(bins=1)
    mask = mask & (time < 1.0)
    torch.manual_seed(0)
    tokens = Fgs1Tokens(width=16, patch_steps=8)
    whole = {"flux": flux[..., 0], "white": flux[..., 0].flip(1), "shape": shape, "time": time}
    broken = {name: torch.where(mask, t, float("nan")) for name, t in whole.items()}
    assert torch.equal(tokens(**broken, mask=mask)[0], tokens(**whole, mask=mask)[0])


def test_without_a_white_curve_there_is_a_flat_one(series):
    """Guards against an encoder that only a whole batch can be given to, and against a blank that is none."""
    flux, shape, time, mask = series(bins=1)
    tokens, steps = Fgs1Tokens(width=16, patch_steps=1), {"shape": shape, "time": time, "mask": mask}
    without, flat = (tokens(flux[..., 0], white, **steps)[0] for white in (None, torch.zeros_like(time)))
    assert torch.equal(without, flat)


def test_a_patch_of_no_step_is_refused():
    """Guards against a division by zero at the first batch."""
    with pytest.raises(ConfigError, match="at least one step"):
        Fgs1Tokens(width=16, patch_steps=0)
