"""A value of the wrong type or out of range is refused before anything runs, with a word how to write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from omegaconf import OmegaConf

from spectramind_kit.configs import available_choices, available_groups, load_config
from spectramind_kit.configs.check import check_config, misfit
from spectramind_kit.errors import ConfigError


@pytest.mark.parametrize(
    "override, words",
    [
        ("train.epochs=ten", "train.epochs.*whole number.*'ten'"),
        ("train.epochs=5.0", "whole number"),
        ("train.epochs=", "whole number"),
        ("train.epochs=0", "1 or more"),
        ("train.epochs=true", "whole number"),
        ("train={epochs: ten}", "train.epochs"),
        ("data.airs_rows=8:24", r"\[8, 24\]"),
        ("data.airs_rows=[8]", r"\[8, 24\]"),
        ("data.airs_rows=[8.5, 24]", r"\[8, 24\]"),
        ("data.airs_rows=[24, 8]", "ascending"),
        ("data.linearity=1", "true or false"),
        ("data.linearity=yes", "true or false"),
        ("data.reader=on", "auto, polars, pyarrow"),
        ("data.target_bins=1e2", "whole number"),
        ("train.learning_rate=.nan", "finite"),
        ("train.learning_rate=fast", "finite number"),
        ("train.device=0", "text"),
        ("train.folds=1", "2 or more"),
        ("anchor.iterations=0", "iterations"),
        ("anchor.drift_scatter=-1", "drift_scatter"),
        ("anchor.fgs1_limb_darkening=0.4", "list"),
        ("simulate.n_train=0", "n_train"),
        ("simulate.seed=-1", "seed"),
        ("simulate.cadence=slow", "cadence"),
        ("model.use_network=yes", "true or false"),
        ("model.size.width=wide", "whole number"),
        ("model.size={width: wide}", "model.size.width"),
        ("model.airs_encoder.kernels=[3, x]", "kernels"),
        ("loss.weights.gll=one", "finite"),
        ("loss.weights={gll: one}", "finite"),
        (
            "model.decoder={_target_: spectramind_kit.models.decoder_head.HeteroscedasticHead, widht: 3}",
            "did you mean 'width'",
        ),
        (
            "model.decoder={_target_: spectramind_kit.models.decoder_head.HeteroscedasticHead, width: 3.5}",
            "whole number",
        ),
    ],
)
def test_a_value_that_makes_no_run_is_refused(override, words):
    """Guards against `train.epochs=ten`, which ended 02_train after light curves and anchors."""
    with pytest.raises(ConfigError, match=words):
        load_config(overrides=[override], use_hydra=False)


@pytest.mark.parametrize("group, choice", [(g, c) for g in available_groups() for c in available_choices(g)])
def test_every_choice_of_the_kit_passes_its_own_check(group, choice):
    """Guards against a YAML file whose value its class would refuse: models and losses are checked as well
    when touched."""
    config = OmegaConf.to_container(
        load_config(overrides=[f"{group}={choice}"], use_hydra=False), resolve=True
    )
    check_config(config, touched=["model", "loss"])


def test_a_class_of_ones_own_is_its_authors():
    """Guards against a check of types that the kit cannot know."""
    load_config(overrides=["model.fgs1_encoder={_target_: mine.Encoder, width: [any, thing]}"])


@pytest.mark.parametrize(
    "value, hint, fits",
    [
        (3, int, True),
        (3.0, int, False),
        (True, int, False),
        (3, float, True),
        (float("inf"), float, False),
        ("a", str, True),
        (None, str, False),
        (None, str | None, True),
        ([1, 2], tuple[int, int], True),
        ([1, 2, 3], tuple[int, ...], True),
        ([1], tuple[int, int], False),
        ("12", tuple[int, int], False),
        ({"a": 1.0}, Mapping[str, float], True),
        ({"a": "x"}, Mapping[str, float], False),
        (object(), Any, True),
    ],
)
def test_types(value, hint, fits):
    """Guards against a whole number that is a truth value, and a list of another length."""
    assert (misfit(value, hint) == "") is fits
