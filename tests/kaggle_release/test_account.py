"""`kaggle_release.account`: the owner is the account that the CLI pushes as."""

from __future__ import annotations

import json

import pytest

from tests.kaggle_stub import KaggleStub


def test_an_unset_owner_is_an_error(tmp_path, push):
    """Guards against a kernel pushed to INSERT_OWNER."""
    with KaggleStub() as stub:
        unset = push(stub, "train", user=None)
        placeholder = push(stub, "train", "--owner", "INSERT_OWNER")
        dry = push(stub, "train", "--owner", "me", "--dry-run", "--folder", str(tmp_path / "out"), user=None)
    assert (
        unset.returncode != 0
        and "no Kaggle account is configured" in unset.stderr
        and "kaggle.json" in unset.stderr
    )
    assert placeholder.returncode != 0 and "not filled in" in placeholder.stderr
    assert dry.returncode == 0 and '"me/spectramind-train"' in dry.stdout, "a dry run needs no account"
    assert not stub.sent("SaveKernel")


def test_the_owner_is_read_from_the_cli_configuration(tmp_path, push):
    """Guards against another owner than the account that the CLI pushes as."""
    folder = tmp_path / "home" / "kaggle"
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_text(json.dumps({"username": "from-file", "key": "0" * 32}))
    (folder / "kaggle.json").chmod(0o600)
    with KaggleStub() as stub:
        done = push(stub, "light_curves", "--folder", str(tmp_path / "out"), user=None)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stub.sent("SaveKernel")[0]["slug"] == "from-file/spectramind-light-curves"


@pytest.mark.parametrize(
    "text",
    [
        b'{"username": "x"',
        b"[]",
        b'{"username": "", "key": "k"}',
        b'{"username": "only"}',
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_a_damaged_kaggle_json_is_told(tmp_path, text, push):
    """Guards against 'no account is configured' for a file that is there, and against a traceback for
    `[]`."""
    folder = tmp_path / "home" / "kaggle"
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_bytes(text)
    with KaggleStub() as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"), user=None)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert (
        "kaggle.json cannot be used" in done.stderr
        and str(folder / "kaggle.json") in done.stderr
        and "new token" in done.stderr
    )
    assert not stub.sent("SaveKernel")


@pytest.mark.parametrize("place", ["KAGGLE_API_TOKEN", ".kaggle/access_token", ".kaggle/access_token.txt"])
def test_a_new_style_token_alone_is_enough(tmp_path, monkeypatch, place, push):
    """Guards against refusing the only kind of token that Kaggle still offers, and against pushing as the
    owner of an old kaggle.json beside it: the CLI prefers the token."""
    home = tmp_path / "home"
    (home / "kaggle").mkdir(parents=True)
    (home / "kaggle" / "kaggle.json").write_text(
        json.dumps({"username": "old-account", "key": "0" * 32}), encoding="utf-8"
    )
    if place.startswith("."):
        (home / ".kaggle").mkdir()
        (home / place).write_text("KGAT_good", encoding="utf-8")
    with KaggleStub(tokens={"KGAT_good": "token-owner"}) as stub:
        environment = {} if place.startswith(".") else {place: "KGAT_good"}
        done = push(stub, "train", "--folder", str(tmp_path / "out"), user=None, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stub.sent("SaveKernel")[0]["slug"] == "token-owner/spectramind-train"


def test_a_token_that_kaggle_does_not_know_is_told(tmp_path, push):
    """Guards against 'no account is configured' where there is a token: it is named, and so is the way on."""
    with KaggleStub() as stub:
        done = push(
            stub, "train", "--folder", str(tmp_path / "out"), user=None, KAGGLE_API_TOKEN="KGAT_wrong"
        )
    assert (
        done.returncode == 1
        and "only a new-style API token" in done.stderr
        and "KAGGLE_API_TOKEN" in done.stderr
    )
    assert (
        "--owner" in done.stderr
        and "does not know the token" in done.stderr
        and "KGAT_wrong" not in done.stderr
    )
    assert not stub.sent("SaveKernel")
