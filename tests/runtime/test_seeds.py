"""`runtime.seeds`: a run can be repeated."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.runtime import check_seed, seed_everything


@pytest.mark.parametrize("seed", [0, 7, 2**63 - 1])
def test_the_same_seed_gives_the_same_numbers(seed):
    """Guards against a generator that a seed does not reach, or a seed that one of the three refuses."""
    check_seed(seed)
    draws = []
    for _ in range(2):
        seed_everything(seed)
        draws.append((random.random(), np.random.random(), float(torch.rand(()))))
    assert draws[0] == draws[1]


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_an_error(seed):
    """Guards against a bare ValueError of a generator after hours of work."""
    with pytest.raises(ConfigError, match="seed"):
        check_seed(seed)
