"""Situations of real users for the kit: modules with a list ``CASES`` each; shared set-up begins with ``_``.

A case makes one situation in a scratch folder, runs the kit on it as a user would, and says what came of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SILENT_PULL = 4.0  # errors beyond which a result without a word is a wrong number


@dataclass(frozen=True)
class Outcome:
    """What came of a case."""

    pull: float = 0.0  # largest |found - true| / error; 0 where the case has no number
    sigma_ppm: float = float("nan")  # error of the AIRS-CH0 level
    said: str = ""  # the flag, line or error that tells; empty: nothing was said
    raised: str = ""  # an exception that came out of 03_submit
    wrong: bool = False  # anything else that is not as it should be (another planet's row, a lost result)
    note: str = ""  # what came out, for the table

    @property
    def silent_wrong(self) -> bool:
        """A result off by more than `SILENT_PULL` errors, or wrong in another way, without a word."""
        return (self.pull > SILENT_PULL or self.wrong) and not self.said


@dataclass(frozen=True)
class Case:
    """One situation."""

    name: str
    kind: str
    before: str  # what version 6d5dbb7 made of it, for the table
    run: Callable[[Path], Outcome]  # gets an empty scratch folder of its own


def case(name: str, kind: str, before: str) -> Callable[[Callable[[Path], Outcome]], Case]:
    """Decorator: the function below is this case."""
    return lambda run: Case(name, kind, before, run)
