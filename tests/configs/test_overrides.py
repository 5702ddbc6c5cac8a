"""What people type: choices of groups and values of keys, and what a slip of the pen is told."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import load_config
from spectramind_kit.configs.overrides import split_overrides
from spectramind_kit.errors import ConfigError


def test_choices_and_values_are_told_apart():
    """Guards against a node of one's own, in braces, being looked for as a file of the group."""
    given = ["model/fusion=late", "train.epochs = 5", "loss={weights: {gll: 2.0}}"]
    values = [("train.epochs", "5"), ("loss", "{weights: {gll: 2.0}}")]
    assert split_overrides(given) == ({"model/fusion": "late"}, values)


def test_values_override_and_later_wins():
    """Guards against an order of overrides that is not the order given."""
    config = load_config(
        overrides=["train.learning_rate=1e-4", "train.epochs=3", "train.epochs=4", "train={folds: 7}"]
    )
    assert config.train.learning_rate == pytest.approx(1e-4) and isinstance(config.train.learning_rate, float)
    assert (config.train.epochs, config.train.folds) == (4, 7)


@pytest.mark.parametrize(
    "override, value",
    [
        ("train.epochs=010", 10),
        ("data.airs_rows=[9, 23]", [9, 23]),
        ("train.learning_rate=1e-3", 1e-3),
        ("train.weight_decay=0", 0),
        ("train.time_flip=false", False),
        ("train.device=cuda:1", "cuda:1"),
        ("model.airs_encoder.kernels=[3, 5]", [3, 5]),
        ("loss.unit=1", 1),
    ],
)
def test_a_good_value_arrives(override, value):
    """Guards against a value that is checked and then lost."""
    assert (
        OmegaConf.select(load_config(overrides=[override], use_hydra=False), override.partition("=")[0])
        == value
    )


def test_a_part_of_ones_own_replaces_the_node_whole():
    """Guards against the kit's own keys being handed to a user's encoder."""
    config = load_config(overrides=["model.fgs1_encoder={_target_: mine.Encoder, width: 8}"])
    assert OmegaConf.to_container(config.model.fgs1_encoder) == {"_target_": "mine.Encoder", "width": 8}


@pytest.mark.parametrize(
    "override, hint",
    [
        ("train.epoch=5", "train.epochs"),
        ("model/fusion=xatn", "xattn"),
        ("model/fusoin=xattn", "model/fusion"),
        ("train={epoch: 5}", "epochs"),
        ("train=5", "default"),
        ("model.size=5", "model.size.width"),
        ("model.size.widht=5", "model.size.width"),
        ("train.epochs", "key=value"),
        ("profile=fast", "smoke"),
    ],
)
def test_a_misspelling_names_the_nearest(override, hint):
    """Guards against an hour of training with a default in place of what was asked for."""
    with pytest.raises(ConfigError, match=hint):
        load_config(overrides=[override], use_hydra=False)
