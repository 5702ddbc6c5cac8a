"""Epochs of the newest training, read from the events of ``metrics.jsonl``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def fold_of(epoch: Mapping) -> int:
    return epoch.get("fold", 0)


def number_of(epoch: Mapping) -> int:
    return int(epoch.get("epoch", 0))


def latest_epochs(events: Sequence[Mapping]) -> list[dict]:
    """Epoch events of the newest training, by fold and number.

    A log is only ever appended to, and each training of a fold starts with the epoch of its lowest number; a
    resumed fold goes on where it stopped.
    """
    kept: dict[int, dict[int, dict]] = defaultdict(dict)
    for event in events:
        if event.get("event") == "epoch":
            rows = kept[fold_of(event)]
            if rows and number_of(event) <= min(rows):
                rows.clear()
            rows[number_of(event)] = dict(event)
    return [rows[number] for _, rows in sorted(kept.items()) for number in sorted(rows)]


def kept_epochs(epochs: Sequence[dict]) -> dict[int, dict]:
    """By fold, the epoch whose weights are kept: the one that the inner planets chose, else the last."""
    last = {fold_of(event): event for event in epochs}
    return {
        fold: next(
            (e for e in epochs if fold_of(e) == fold and number_of(e) == event.get("chosen_epoch")), event
        )
        for fold, event in last.items()
    }


def numbers_by_epoch(epochs: Sequence[Mapping], key: str) -> dict[str, dict[int, list[float]]]:
    """``{name: {epoch: [value of each fold]}}`` of a mapping that epochs carry, both sorted.

    Epoch 0, which only scores the untouched model, carries none.
    """
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for event in epochs:
        for name, value in (event.get(key) or {}).items():
            if is_number(value):
                found[name][number_of(event)].append(float(value))
    return {name: dict(sorted(values.items())) for name, values in sorted(found.items())}


def releases(epochs: Sequence[Mapping]) -> dict[int, str]:
    """Epoch → groups that were frozen in the epoch before and are not any more, of the first fold."""
    found: dict[int, str] = {}
    previous: set[str] = set()
    for event in sorted((e for e in epochs if fold_of(e) == fold_of(epochs[0])), key=number_of):
        frozen = set(event.get("frozen") or ())
        if previous - frozen:
            found[number_of(event)] = ", ".join(sorted(previous - frozen))
        previous = frozen
    return found
