"""Inputs that real users have: damaged, odd or stale; what the kit makes of each, and whether it says so."""

from __future__ import annotations

import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path

from robustness_cases import Case, Outcome

from spectramind_kit.runtime import format_seconds, say

_FOLDER = Path(__file__).parent / "robustness_cases"
MODULES = sorted(path.stem for path in _FOLDER.glob("[!_]*.py"))


def run(*, quick: bool = False) -> dict:
    """All cases, or the first of each module (quick); prints the table of docs/robustness.md."""
    rows = {}
    for module in MODULES:
        cases = import_module(f"robustness_cases.{module}").CASES
        for case in cases[:1] if quick else cases:
            started = time.monotonic()
            outcome = _outcome(case)
            rows[case.name] = {
                "kind": case.kind,
                "before": case.before,
                "after": _words(outcome),
                "pull": outcome.pull,
                "said": outcome.said,
                "raised": outcome.raised,
                "silent_wrong": outcome.silent_wrong,
            }
            say(f"{case.kind}: {case.name}: {_words(outcome)} ({format_seconds(time.monotonic() - started)})")
    say("")
    say("| kind | case | before | now |")
    say("|---|---|---|---|")
    for name, row in rows.items():
        say(f"| {row['kind']} | {name} | {row['before']} | {row['after']} |")
    return {
        "cases": len(rows),
        "silent_wrong": sum(row["silent_wrong"] for row in rows.values()),
        "raised": sum(bool(row["raised"]) for row in rows.values()),
        "by_case": rows,
    }


def _outcome(case: Case) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="robustness-") as scratch:
        try:
            return case.run(Path(scratch))
        except Exception as error:  # the case itself must catch what is allowed to be raised
            traceback.print_exc()
            return Outcome(raised=f"{type(error).__name__}: {error}", wrong=True)


def _words(outcome: Outcome) -> str:
    parts = [outcome.note] if outcome.note else []
    if outcome.pull:
        parts.append(f"{outcome.pull:.1f} σ")
    if outcome.sigma_ppm == outcome.sigma_ppm:
        parts.append(f"level ± {outcome.sigma_ppm:.0f} ppm")
    if outcome.raised:
        parts.append(f"raised {outcome.raised}")
    elif outcome.said:
        parts.append(f"said: {outcome.said}")
    else:
        parts.append("**wrong without a word**" if outcome.silent_wrong else "nothing to say")
    return "; ".join(parts).replace("|", "/")
