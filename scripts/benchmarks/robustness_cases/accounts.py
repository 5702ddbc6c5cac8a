"""Kaggle accounts as users have them."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from unittest import mock

from robustness_cases import ROOT, Outcome, case
from spectramind_kit.errors import DataError

_case = partial(case, kind="machines", before='"no Kaggle account is configured"')


def _owner(scratch: Path, **variables: str) -> tuple[str, str]:
    """What `configured_owner` gives, and its error; Kaggle cannot be reached from here."""
    sys.path.insert(0, str(ROOT))
    try:
        from scripts.kaggle_release.account import configured_owner
    finally:
        sys.path.remove(str(ROOT))
    foreign = {name for name in os.environ if name.startswith("KAGGLE_") or "proxy" in name.lower()}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    nowhere = {"HOME": str(scratch), "KAGGLE_API_ENVIRONMENT": "LOCALHOST"}
    nowhere |= dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    changed = mock.patch.dict(os.environ, {**kept, **nowhere, **variables}, clear=True)
    with changed, redirect_stderr(StringIO()):
        try:
            return configured_owner(), ""
        except DataError as error:
            return "", str(error)


def _told(error: str, words: str) -> str:
    return error.split("|")[0].strip() if words in error else ""


@_case("a damaged kaggle.json")
def damaged_kaggle_json(scratch: Path) -> Outcome:
    (scratch / ".kaggle").mkdir()
    content = json.dumps({"username": "me", "key": "k"})[:-3]
    (scratch / ".kaggle" / "kaggle.json").write_text(content, encoding="utf-8")
    owner, error = _owner(scratch)
    wrong = bool(owner) or "kaggle.json" not in error
    return Outcome(wrong=wrong, said=_told(error, "kaggle.json cannot be used"))


@_case("only a new-style token, Kaggle out of reach")
def only_a_token(scratch: Path) -> Outcome:
    owner, error = _owner(scratch, KAGGLE_API_TOKEN="KGAT_0")
    named, _ = _owner(scratch, KAGGLE_API_TOKEN="KGAT_0", KAGGLE_USERNAME="me")
    said, note = _told(error, "only a new-style API token"), "with KAGGLE_USERNAME or --owner it is enough"
    return Outcome(wrong=bool(owner) or named != "me", said=said, note=note)


CASES = [damaged_kaggle_json, only_a_token]
