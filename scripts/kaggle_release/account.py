"""Which account on Kaggle the stock CLI pushes as: a new-style token first, then name and key, as it does."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from scripts.kaggle_release.kaggle_cli import Answer, run_cli
from spectramind_kit.errors import DataError

_TOKEN_FILES = ("~/.kaggle/access_token", "~/.kaggle/access_token.txt")
_NEW_TOKEN = (
    "kaggle.com, Settings, API: put a new token into KAGGLE_API_TOKEN or ~/.kaggle/access_token, "
    "or a legacy key into kaggle.json"
)


def configured_owner() -> str:
    """The account's name.

    Where there is a token, the CLI uses it before all else and asks Kaggle whose it is, so it is asked too.
    Then come ``KAGGLE_USERNAME``, ``kaggle.json``, and what the CLI says (OAuth). Raises DataError when none
    is configured, ``kaggle.json`` is damaged, or there is only a token and Kaggle does not say whose.
    """
    token, (in_file, damage) = token_source(), owner_in_file()
    named = os.environ.get("KAGGLE_USERNAME", "").strip()
    answer = run_cli("config", "view", timeout_s=60) if token or not (named or in_file) else None
    owner = (_owner_in(answer) if answer else "") or named or in_file
    if owner:
        if damage and not named:
            note = f"note: {damage.what}: {damage.where} ({damage.found}); the account is {owner}"
            print(note, file=sys.stderr)
        return owner
    if token:
        raise DataError(
            "there is only a new-style API token, and whose it is could not be found out",
            where=token,
            expected="a name: a token holds none, the CLI asks Kaggle for it",
            found=_last_line(answer),
            fix="if the token is valid, pass --owner YOUR-NAME or set KAGGLE_USERNAME: that is enough. "
            f"Else make a new one: {_NEW_TOKEN}",
        )
    if damage:
        raise damage
    raise DataError(
        "no Kaggle account is configured",
        expected="a token (KAGGLE_API_TOKEN, ~/.kaggle/access_token), or a name and key (KAGGLE_USERNAME and "
        "KAGGLE_KEY, or kaggle.json)",
        fix=f"{_NEW_TOKEN}; or pass --owner for a dry run",
    )


def token_source() -> str:
    """Where a new-style API token is (a variable, a file), or an empty text; it is not looked at."""
    if os.environ.get("KAGGLE_API_TOKEN", "").strip():
        return "KAGGLE_API_TOKEN"
    for name in _TOKEN_FILES:
        try:
            if Path(name).expanduser().stat().st_size:
                return name
        except (OSError, RuntimeError):  # RuntimeError: no home folder is known
            continue
    return ""


def owner_in_file() -> tuple[str, DataError | None]:
    """The name in ``kaggle.json``, and what is wrong with the file: the CLI passes over damage in silence."""
    own = os.environ.get("KAGGLE_CONFIG_DIR")
    damage = None
    for folder in [own] if own else ["~/.kaggle", "~/.config/kaggle"]:
        try:
            path = Path(folder).expanduser() / "kaggle.json"
            return _owner_of(path), None
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            continue
        except (OSError, ValueError) as error:  # ValueError: no JSON, no UTF-8
            damage = damage or DataError(
                "kaggle.json cannot be used",
                where=str(path),
                expected='{"username": "…", "key": "…"} in UTF-8',
                found=str(error),
                fix=f"download it again, or replace it. {_NEW_TOKEN}",
            )
    return "", damage


def _owner_of(path: Path) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"a {type(content).__name__} in place of an object")
    lacking = [key for key in ("username", "key") if not str(content.get(key) or "").strip()]
    if lacking:
        raise ValueError(f"without {' and '.join(lacking)}")
    return str(content["username"]).strip()


def _owner_in(answer: Answer) -> str:
    found = re.search(r"username:[ \t]*(\S+)", answer.text)
    return "" if not found or found[1] == "None" else found[1]


def _last_line(answer: Answer | None) -> str:
    """What the CLI says where it does not name the account: the line of the cause, not its help text."""
    lines = [line.strip() for line in (answer.text if answer else "").splitlines() if line.strip()]
    if any("Authentication required" in line for line in lines):
        return "Kaggle does not know the token: it is wrong or has run out"
    return lines[-1][:300] if lines else "no answer"
