"""What a run says: plain lines, in a notebook, a log or a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from spectramind_kit.optional_packages import why_not
from spectramind_kit.runtime.any_encoding import spell_out

_PLAIN_PROGRESS_S = 30.0
_NAMED = 10  # lines of a kind on the screen; run.json has all


def say(text: str) -> None:
    """One plain line, at once. Never raises: a log that cannot be written costs no run."""
    with contextlib.suppress(OSError, ValueError):  # the reader of the pipe is gone, the disk is full
        print(spell_out(text, getattr(sys.stdout, "encoding", None)), flush=True)


@cache
def say_once(text: str) -> None:
    """`say`, but the same line only once in a process."""
    say(text)


def say_some(lines: Sequence[str], *, rest: str) -> None:
    """Ten of the lines, then a count: ``rest`` says of what ("more, see run.json")."""
    for line in lines[:_NAMED]:
        say(line)
    if len(lines) > _NAMED:
        say(f"… and {len(lines) - _NAMED} {rest}")


def format_seconds(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 05 min``."""
    seconds = max(0.0, seconds)
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(int(round(seconds)), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def progress(iterable: Iterable, *, desc: str, total: int | None = None, unit: str = "it") -> Iterator:
    """tqdm on a terminal; elsewhere (papermill, a log) a plain line every 30 s with the time left."""
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    if _is_terminal(sys.stderr) and not why_not("tqdm"):
        from tqdm import tqdm

        yield from tqdm(iterable, desc=desc, total=total, unit=unit)
        return
    start = last = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
        now = time.monotonic()
        if now - last >= _PLAIN_PROGRESS_S:
            last = now
            rate = count / (now - start)
            left = f", {format_seconds((total - count) / rate)} left" if total else ""
            say(f"{desc}: {count}{f'/{total}' if total else ''} {unit}, {rate:.2f} {unit}/s{left}")
    if count:
        spent = time.monotonic() - start
        say(f"{desc}: {count} {unit} in {format_seconds(spent)} ({count / max(spent, 1e-9):.2f} {unit}/s)")


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):  # no stderr at all, or a closed one
        return False
