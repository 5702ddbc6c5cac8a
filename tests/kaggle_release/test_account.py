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
    """Guards against 'no account is configured' where there is a token: it is named, and so is the way on;
    and against a push that must fail, because a variable names an account."""
    for named in ({}, {"KAGGLE_USERNAME": "someone"}):
        with KaggleStub() as stub:
            given = {"KAGGLE_API_TOKEN": "KGAT_wrong", **named}
            done = push(stub, "train", "--folder", str(tmp_path / "out"), user=None, **given)
        assert done.returncode == 1 and "does not accept the API token" in done.stderr, done.stderr
        assert "where: KAGGLE_API_TOKEN" in done.stderr and "make a new one" in done.stderr
        assert "KGAT_wrong" not in done.stderr and not stub.sent("SaveKernel")


def test_a_token_whose_owner_is_not_found_out_is_told(tmp_path, push):
    """Guards against blaming the token for a network that is down."""
    with KaggleStub() as stub:
        dead = {"KAGGLE_API_TOKEN": "KGAT_good", "http_proxy": "http://127.0.0.1:9"}
        done = push(stub, "train", "--folder", str(tmp_path / "out"), user=None, **dead)
    assert done.returncode == 1 and "could not be found out" in done.stderr, done.stderr
    assert "check the network" in done.stderr and "--owner" in done.stderr


def test_a_name_that_is_not_the_tokens_is_told(tmp_path, push):
    """Guards against a push to another account than KAGGLE_USERNAME names, without a word."""
    with KaggleStub(tokens={"KGAT_good": "token-owner"}) as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"), KAGGLE_API_TOKEN="KGAT_good")
    assert "KAGGLE_USERNAME is someone, but the token in KAGGLE_API_TOKEN is token-owner's" in done.stderr
    assert done.returncode == 0 and stub.sent("SaveKernel")[0]["slug"] == "token-owner/spectramind-train"


def test_a_rejected_token_beside_a_name_and_key_is_told(tmp_path, push):
    """Guards against an old key that is used for a token that has run out, as the CLI does in silence."""
    with KaggleStub() as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"), KAGGLE_API_TOKEN="KGAT_old")
    assert "does not accept the token in KAGGLE_API_TOKEN; the CLI uses the name and key" in done.stderr
    assert done.returncode == 0 and stub.sent("SaveKernel")[0]["slug"] == "someone/spectramind-train"
