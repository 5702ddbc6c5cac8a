"""Settings of the training: its YAML, and values that make no training."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from spectramind_kit.configs import load_config
from spectramind_kit.errors import ConfigError
from spectramind_kit.training.settings import TrainSettings


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_the_yaml_mirrors_the_dataclass(profile):
    """Guards against a setting that the YAML has and the training does not know, or the other way round."""
    train = load_config(profile=profile).train
    assert list(train) == list(asdict(TrainSettings(**train)))


@pytest.mark.parametrize(
    "name, value",
    [
        ("folds", 1),
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", 2.0),
        ("fine_tune_learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("sigma_weight_decay", -0.1),
        ("inner_share", -0.1),
        ("inner_share", 0.6),
        ("gradient_clip", 0.0),
        ("ema_decay", 1.0),
        ("warmup_fraction", 1.5),
        ("warm_start_epochs", -1),
        ("num_threads", -1),
        ("device", "gpu"),
        ("device", "cuda:x"),
        ("amp", "fp16"),
    ],
)
def test_out_of_range_is_named(name, value):
    """Guards against a ZeroDivisionError after light curves and anchors."""
    with pytest.raises(ConfigError, match=name):
        replace(TrainSettings(**load_config().train), **{name: value})
