"""Text for streams that lack some of its characters (``LANG=C``, a Windows console, a log in Latin-1)."""

from __future__ import annotations

import contextlib
from typing import TextIO

_SPELT = (
    {"…": "...", "–": "-", "—": "-", "−": "-", "→": "->", "‘": "'", "’": "'", "“": '"', "”": '"'}
    | {"×": "x", "±": "+-", "·": "*", "≤": "<=", "≥": ">=", "≈": "~", "√": "sqrt", "∞": "inf"}
    | {"²": "^2", "³": "^3", "⁻": "^-", "°": " deg", "µ": "u", "μ": "u"}
    | {"σ": "sigma", "χ": "chi", "δ": "delta", "Δ": "Delta", "λ": "lambda"}
)


def spell_out(text: str, encoding: str | None) -> str:
    """``text`` in characters that ``encoding`` has: where it lacks them, ``±`` is ``+-`` and ``σ`` ``sigma``.

    Without an encoding (a stream of Python text, as in a notebook) only what no stream can write is replaced:
    halves of surrogate pairs, as in file names that are not UTF-8.
    """
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeError:
        return "".join(_one(character, encoding) for character in text)
    except LookupError:  # an encoding that Python does not know
        return spell_out(text, "ascii")


def _one(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
        return character
    except UnicodeError:
        return _SPELT.get(character) or character.encode("ascii", "backslashreplace").decode("ascii")


class EncodedStream:
    """A text stream that takes any character (`spell_out`), for programs that write into ours: papermill.

    ``muted``: what is written is lost.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.muted = False

    def write(self, text: str) -> int:
        if self.muted:
            return len(text)
        with contextlib.suppress(OSError, ValueError):  # a log that cannot be written costs no run
            self._stream.write(spell_out(text, getattr(self._stream, "encoding", None)))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
