"""What the kit prints while a case runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from tempfile import gettempdir


@contextmanager
def captured() -> Iterator[StringIO]:
    """What is printed in the block goes there, and not on the screen."""
    with redirect_stdout(StringIO()) as out:
        yield out


def line_with(text: str, *words: str) -> str:
    """The first line that holds one of the words, without the scratch folder's name, for the table."""
    found = next((line for line in text.splitlines() if any(word in line for word in words)), "")
    return re.sub(rf"{re.escape(gettempdir())}/\S*/", "", found).strip()[:160]


def heard(work: Callable, *words: str) -> tuple[object, str]:
    """What ``work`` returns, and the first line it says that holds one of the words."""
    with captured() as out:
        result = work()
    return result, line_with(out.getvalue(), *words)
