"""Which account on Kaggle the stock CLI pushes as: a new-style token first, then name and key, as it does."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from scripts.kaggle_release.kaggle_cli import NEW_TOKEN, Answer, run_cli
from spectramind_kit.errors import DataError

_TOKEN_FILES = ("~/.kaggle/access_token", "~/.kaggle/access_token.txt")


def configured_owner() -> str:
    """The account's name.

    Where there is a token, the CLI uses it before all else and asks Kaggle whose it is, so it is asked too.
    Then come ``KAGGLE_USERNAME``, ``kaggle.json``, and what the CLI says (OAuth). Raises DataError when none
    is configured, ``kaggle.json`` is damaged, Kaggle does not accept the token and there is nothing else, or
    does not say whose it is.
    """
    token, (in_file, damage) = token_source(), owner_in_file()
    named = os.environ.get("KAGGLE_USERNAME", "").strip()
    answer = run_cli("config", "view", timeout_s=60) if token or not (named or in_file) else None
    said = _owner_in(answer) if answer else ""
    if token and answer and _needs_login(answer):
        raise DataError(
            "Kaggle does not accept the API token: it is wrong or has run out",
            where=token,
            fix=f"make a new one. {NEW_TOKEN}",
        )
    owner = said or named or in_file
    if owner:
        _say_what_differs(answer, owner, token=token, named=named)
        if damage and not named:
            _note(f"{damage.what}: {damage.where} ({damage.found}); the account is {owner}")
        return owner
    if token:
        raise DataError(
            "there is only a new-style API token, and whose it is could not be found out",
            where=token,
            expected="a name: a token holds none, the CLI asks Kaggle for it",
            found=_last_line(answer),
            fix="check the network; or pass --owner YOUR-NAME or set KAGGLE_USERNAME: that is enough",
        )
    if damage:
        raise damage
    raise DataError(
        "no Kaggle account is configured",
        expected="a token (KAGGLE_API_TOKEN, ~/.kaggle/access_token), or a name and key (KAGGLE_USERNAME and "
        "KAGGLE_KEY, or kaggle.json)",
        fix=f"{NEW_TOKEN}; or pass --owner for a dry run",
    )


def _say_what_differs(answer: Answer | None, owner: str, *, token: str, named: str) -> None:
    """A token that the CLI has passed over in silence, and a name that is not the token's."""
    if not token or answer is None:
        return
    if "LEGACY_API_KEY" in answer.text:
        _note(f"Kaggle does not accept the token in {token}; the CLI uses the name and key instead: {owner}")
    elif named and named != owner:
        _note(f"KAGGLE_USERNAME is {named}, but the token in {token} is {owner}'s, as whom the CLI pushes")


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


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
                fix=f"download it again, or replace it. {NEW_TOKEN}",
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


def _needs_login(answer: Answer) -> bool:
    return "Authentication required" in answer.text


def _last_line(answer: Answer | None) -> str:
    """What the CLI says where it does not name the account: the line of the cause, not its help text."""
    lines = [line.strip() for line in (answer.text if answer else "").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no answer"
