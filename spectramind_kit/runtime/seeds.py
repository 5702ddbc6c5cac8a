"""Seeds of random generators."""

from __future__ import annotations

from spectramind_kit.errors import ConfigError


def check_seed(seed: int) -> None:
    """Raise ConfigError for a seed that a generator would refuse in the middle of a run."""
    if not 0 <= int(seed) < 2**63:
        raise ConfigError(
            "a seed is out of range",
            where="seed",
            found=repr(seed),
            expected="0 … 2⁶³ − 1",
            fix="e.g. seed=0",
        )


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, and torch where it is installed."""
    import random

    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        import torch
    except ImportError:
        return
    torch.manual_seed(seed)
