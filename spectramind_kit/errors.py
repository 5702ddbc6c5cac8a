"""The one error of the kit: what happened, where, what was expected and found, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial


class DataError(Exception):
    """Input that the kit cannot use.

    Parameters
    ----------
    what : what happened, in one clause.
    where : file, planet, visit or stage.
    expected, found : what the kit needed and what it met instead.
    fix : what the reader can do about it.
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", found: str = "", fix: str = ""):
        self.what, self.where, self.expected, self.found, self.fix = what, where, expected, found, fix
        named = {"where": where, "expected": expected, "found": found, "what to do": fix}
        super().__init__(" | ".join([what, *(f"{name}: {text}" for name, text in named.items() if text)]))

    def __reduce__(self):  # errors cross process borders; keyword-only arguments do not pickle by themselves
        named = {name: getattr(self, name) for name in ("where", "expected", "found", "fix")}
        return partial(type(self), self.what, **named), ()


class ConfigError(DataError):
    """A parameter, override or choice that does not exist or does not fit."""


@dataclass(frozen=True)
class PlanetFailure:
    """A planet, or one visit of it, that was given up, and why: the rest of a run goes on."""

    planet_id: int
    error: str
    visit: int | None = None  # None where it concerns the whole planet


def in_words(error: BaseException) -> str:
    """Kind and text of an error, for a line or a record."""
    return f"{type(error).__name__}: {error}"


def nearest(name: str, choices: Iterable[str]) -> str:
    """``did you mean 'x'?`` for a misspelt name, or the list of choices when nothing is near."""
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return "choose from: " + ", ".join(choices) if choices else "there is nothing to choose from"


def check_choice(value: str, choices: Iterable[str], *, what: str, where: str = "") -> None:
    """Raise `ConfigError` ``unknown <what>`` with the nearest valid name, unless ``value`` is a choice."""
    if value not in choices:
        raise ConfigError(f"unknown {what}", where=where, found=str(value), fix=nearest(str(value), choices))
