"""`spectramind_kit.errors`: an error says what happened, where, and what to do, wherever it is raised."""

from __future__ import annotations

import pickle

import pytest

from spectramind_kit.errors import ConfigError, DataError, check_choice, in_words, nearest


def test_an_error_says_what_it_knows_and_no_more():
    """Guards against empty labels in a message, and against parts that go unsaid."""
    assert str(DataError("no such file", where="train.csv")) == "no such file | where: train.csv"
    error = DataError("wrong shape", where="a.parquet", expected="32", found="31", fix="copy it again")
    text = "wrong shape | where: a.parquet | expected: 32 | found: 31 | what to do: copy it again"
    assert str(error) == text and in_words(error) == f"DataError: {text}"


@pytest.mark.parametrize("kind", [DataError, ConfigError])
def test_an_error_comes_whole_out_of_a_worker(kind):
    """Guards against 'missing keyword arguments' in the place of a worker's own error."""
    sent = kind("unknown reader", where="data", expected="auto", found="on", fix="choose one")
    back = pickle.loads(pickle.dumps(sent))
    assert type(back) is kind and str(back) == str(sent) and vars(back) == vars(sent)


@pytest.mark.parametrize(
    "name, choices, words",
    [
        ("trian", ["train", "test"], "did you mean 'train'?"),
        ("xyz", ["train", "test"], "choose from: test, train"),
        ("xyz", [], "there is nothing to choose from"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name, choices, words):
    """Guards against 'unknown name' without the names that there are."""
    assert nearest(name, choices) == words


def test_a_choice_that_does_not_exist_is_an_error():
    """Guards against a misspelt choice that is silently the default."""
    check_choice("polars", ("auto", "polars"), what="reader")
    with pytest.raises(
        ConfigError, match="unknown reader.*where: data.*found: polar .*did you mean 'polars'"
    ):
        check_choice("polar", ("auto", "polars"), what="reader", where="data")
