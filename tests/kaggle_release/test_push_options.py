"""`kaggle_release.push_options`: what cannot be meant is an error before anything is written or sent."""

from __future__ import annotations

import pytest

from scripts.kaggle_release.kernels import KERNELS
from scripts.kaggle_release.push_options import chosen_kernel, chosen_parameters, read_options
from spectramind_kit.errors import ConfigError, DataError


def parameters(*arguments: str):
    options = read_options([*arguments])
    return chosen_parameters(options, chosen_kernel(options))


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["train", "--version", "x"], "--version does not apply to train"),
        (["train", "--minutes", "5"], "goes with: dataset"),
        (["dataset", "--hours", "5"], "--hours does not apply to dataset"),
        (["dataset", "-p", "seed=1"], "--parameter does not apply"),
        (["dataset", "--slug", "spectramind-kit"], "--slug does not apply"),
        (["light_curves", "--with-wheels"], "goes with: train, submit"),
        (["train", "--weights-in-dataset"], "goes with: submit"),
        (["wheels", "--reads", "spectramind-train"], "--reads does not apply"),
        (["dataset", "--minutes", "0"], "must be positive"),
    ],
)
def test_an_option_that_does_not_apply_is_an_error(arguments, word):
    """Guards against an option that is taken and does nothing."""
    with pytest.raises(ConfigError, match=word):
        read_options(arguments)


@pytest.mark.parametrize(
    "slug", ["me/spectramind-train", "Train-2", "a--bcd", "-train", "four", "x" * 51, ""]
)
def test_a_slug_that_kaggle_would_change_is_an_error(slug):
    """Guards against a kernel at another address than its output is looked for at."""
    with pytest.raises(ConfigError, match="not a kernel's slug"):
        chosen_kernel(read_options(["train", f"--slug={slug}"]))


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["train", "--hours", "0"], "at least a minute"),
        (["train", "--hours", "-1"], "at least a minute"),
        (["train", "--hours", "nan"], "at most 12"),
        (["train", "--hours", "12.5"], "at most 12 hours"),
        (["submit", "--hours", "9.5"], "at most 9 hours"),
        (["train", "--hours", "6", "-p", "budget_hours=7"], "where: budget_hours .* at most 6 hours"),
        (["submit", "-p", "budget_hours=10"], "at most 9 hours"),
        (["train", "-p", "sed=1"], "did you mean 'seed'"),
        (["train", "-p", "seed=one"], "expected: int"),
        (["train", "-p", "shard=1/4"], "unknown parameter"),
        (["light_curves", "-p", "shard=5/4"], "not a shard"),
        (["train", "-p", "overrides=train.epoch=3"], "train.epoch"),
    ],
)
def test_a_parameter_that_the_notebook_would_not_take_is_an_error(arguments, word):
    """Guards against hours in a queue for a typing error."""
    with pytest.raises(DataError, match=word):
        parameters(*arguments)


def test_hours_are_a_number(capsys):
    """Guards against a traceback for `--hours six`."""
    with pytest.raises(SystemExit):
        read_options(["train", "--hours", "six"])
    assert "invalid float value: 'six'" in capsys.readouterr().err


def test_what_is_chosen():
    """Guards against a default that an option does not replace."""
    assert parameters("train") == {}
    assert parameters("train", "--hours", "6", "-p", "seed=3") == {"budget_hours": 6.0, "seed": 3}
    assert parameters("train", "--hours", "6", "-p", "budget_hours=5") == {"budget_hours": 5.0}
    assert chosen_kernel(read_options(["train"])) == KERNELS["train"]
    assert chosen_kernel(read_options(["submit", "--weights-in-dataset"])).reads == ()
