"""Epochs of the newest training, out of a log that is only ever appended to."""

from __future__ import annotations

from spectramind_kit.diagnostics.epochs import kept_epochs, latest_epochs, numbers_by_epoch, releases


def epochs(numbers, *, fold: int = 0, **fields) -> list[dict]:
    return [{"event": "epoch", "fold": fold, "epoch": number, **fields} for number in numbers]


def test_a_restarted_training_replaces_the_older_curve():
    """Guards against two trainings in one log drawn as one curve; a resumed fold must go on instead."""
    old, new = epochs(range(9), held_out_score=0.1), epochs(range(4), held_out_score=0.2)
    found = latest_epochs(old + new + epochs(range(4, 6), held_out_score=0.2))
    assert [e["epoch"] for e in found] == list(range(6)) and {e["held_out_score"] for e in found} == {0.2}


def test_folds_are_apart_and_other_events_are_not_epochs():
    """Guards against the second fold's start taken for a new training of the first."""
    found = latest_epochs([*epochs(range(3)), {"event": "stage"}, *epochs(range(2), fold=1)])
    assert [(e["fold"], e["epoch"]) for e in found] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert {fold: e["epoch"] for fold, e in kept_epochs(found).items()} == {0: 2, 1: 1}


def test_numbers_are_gathered_over_the_folds():
    """Guards against a mean over folds that counts what is not a number, or mixes the epochs."""
    log = epochs([1], terms={"b": 2.0, "a": 1}) + epochs([1], fold=1, terms={"b": 4.0, "a": None})
    log += epochs([0]) + epochs([2], terms={"b": True, "a": 5})
    assert numbers_by_epoch(log, "terms") == {"a": {1: [1.0], 2: [5.0]}, "b": {1: [2.0, 4.0]}}


def test_a_release_is_the_epoch_in_which_a_group_is_free():
    """Guards against a line at the last frozen epoch, or at the start of a training without frozen parts."""
    frozen = [["a", "b"], ["a", "b"], ["b"], [], []]
    log = [event | {"frozen": names} for event, names in zip(epochs(range(5)), frozen)]
    assert releases(log) == {2: "a", 3: "b"} and releases(epochs(range(3), frozen=[])) == {}
