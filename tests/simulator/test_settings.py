from __future__ import annotations

import pytest

from spectramind_kit.errors import ConfigError
from spectramind_kit.simulator.settings import NOISE, Effects, Settings, noise_free


def test_switches():
    """Guards against a misspelt effect that silently stays on."""
    assert Effects().without("dark").shot_noise and not Effects().without("dark", "jitter").jitter
    with pytest.raises(ConfigError, match="shot_noise"):
        Effects().without("shot_nois")
    assert all(not getattr(noise_free().effects, name) for name in NOISE) and noise_free().effects.jitter


@pytest.mark.parametrize("wrong", [{"cadence": "half"}, {"two_visit_fraction": 1.2}, {"spot_fraction": -0.1}])
def test_impossible_settings_are_refused(wrong):
    """Guards against a simulation that runs for an hour on a typing error."""
    with pytest.raises(ConfigError):
        Settings(**wrong)


def test_digest_changes_with_what_is_drawn():
    """Guards against folders continued with other settings."""
    assert Settings().digest() == Settings().digest() != Settings(spot_fraction=0.3).digest()
    assert Settings().digest() != noise_free().digest()
