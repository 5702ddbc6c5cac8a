"""FGS1's encoder of Mamba blocks: directions, sizes, and what a broken planet leaves."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.models import Fgs1Mamba


def test_causal_tokens_do_not_look_ahead(series):
    """Guards against a direction that is set and not used."""
    flux, shape, time, mask = series(bins=1)
    flux = flux[..., 0]
    changed = flux.clone()
    changed[:, 40:] = 3.0
    for direction, expected in (("causal", True), ("both", False)):
        torch.manual_seed(0)
        encoder = Fgs1Mamba(width=16, depth=2, state=8, headdim=8, patch=4, direction=direction)
        tokens = [encoder(f, shape=shape, time=time, mask=mask)[0][:, :10] for f in (flux, changed)]
        assert torch.allclose(*tokens, atol=1e-6) is expected


@pytest.mark.parametrize("steps, valid", ((1, True), (30, False)))
def test_a_visit_of_one_step_and_an_empty_visit(series, steps, valid):
    """Guards against a crash or NaN on what a broken planet leaves."""
    flux, shape, time, mask = series(steps=steps)
    encoder = Fgs1Mamba(width=16, state=8, headdim=8, patch=4)
    tokens, token_mask = encoder(flux[..., 0], shape=shape, time=time, mask=mask & valid)
    assert tokens.isfinite().all() and token_mask.any() == torch.tensor(valid)


def test_settings_reach_the_blocks():
    """Guards against a head wider than the block, and against a chunk of zero steps."""
    block = Fgs1Mamba(width=8, headdim=64, expand=3).layers[0].ahead
    assert (block.headdim, block.d_inner, block.chunk_size) == (24, 24, 32)
    block = Fgs1Mamba(width=8, form="mamba1", chunk_size=5, scan_backend="torch").layers[0].ahead
    assert (block.form, block.chunk_size, block.scan_backend) == ("mamba1", 5, "torch")


@pytest.mark.parametrize("setting, nearest", (({"form": "mamba3"}, "mamba"), ({"direction": "bot"}, "both")))
def test_unknown_settings_name_the_nearest(setting, nearest):
    """Guards against a misspelling that trains something else."""
    with pytest.raises(ConfigError, match=nearest):
        Fgs1Mamba(width=16, **setting)
