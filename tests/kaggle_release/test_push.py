"""`scripts/push_kaggle`, with the stock Kaggle CLI against a stub of its API on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("kagglesdk", reason="the Kaggle CLI is not installed (pip install kaggle==2.2.4 six)")

from scripts.kaggle_release.kernels import (
    KERNELS,
    ROOT,
    check_kernel_metadata,
    dataset_metadata,
    kernel_metadata,
    write_kernel_folder,
)
from spectramind_kit.errors import ConfigError, DataError
from tests.kaggle_stub import KaggleStub

COMPETITION = "ariel-data-challenge-2025"


def push(
    stub: KaggleStub, tmp_path: Path, *arguments: str, user: str | None = "someone", **variables: str
) -> subprocess.CompletedProcess:
    environment = stub.environment(tmp_path / "home", user=user) | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(
        [sys.executable, "-m", "scripts.kaggle_release.push", *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A staged dataset with a folder in it, made by hand (the real one is built in test_stage.py)."""
    folder = tmp_path / "dataset"
    (folder / "weights" / "abc").mkdir(parents=True)
    (folder / "spectramind_kit-0.1.0-py3-none-any.whl").write_bytes(b"wheel")
    (folder / "weights" / "abc" / "fold_0.pt").write_bytes(b"weights")
    (folder / "dataset-metadata.json").write_text(json.dumps(dataset_metadata(owner="someone")))
    return folder


EXPECTED = {  # gpu, internet, competition, kernels
    "wheels": (True, True, [], []),
    "light_curves": (False, False, [COMPETITION], []),
    "train": (True, False, [COMPETITION], ["someone/spectramind-light-curves"]),
    "submit": (True, False, [COMPETITION], ["someone/spectramind-train"]),
}


@pytest.mark.parametrize("name", KERNELS)
def test_each_kernel_is_sent_as_it_should_be(tmp_path, name):
    """Guards against a kernel that goes up with internet on, without its inputs, on the wrong machine, or
    with other code."""
    gpu, internet, competitions, kernels = EXPECTED[name]
    with KaggleStub() as stub:
        done = push(stub, tmp_path, name, "--folder", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    slug = f"someone/spectramind-{name.replace('_', '-')}"
    assert slug in done.stdout
    assert [call for call, _ in stub.calls] == ["SaveKernel"]
    (sent,) = stub.sent("SaveKernel")
    assert (
        sent["slug"] == slug
        and sent["language"] == "python"
        and sent["kernelType"] == "notebook"
        and sent["isPrivate"] is True
    )
    assert sent["enableGpu"] is gpu and sent["enableInternet"] is internet
    assert sent.get("machineShape") == ("NvidiaTeslaT4" if gpu else None)
    assert sent.get("datasetDataSources") == ["someone/spectramind-kit"]
    assert (
        sent.get("competitionDataSources", []) == competitions
        and sent.get("kernelDataSources", []) == kernels
    )
    cells = json.loads(sent["text"])["cells"]
    own = json.loads((ROOT / KERNELS[name].notebook).read_text())["cells"]
    assert [cell["source"] for cell in cells] == ["".join(cell["source"]) for cell in own]


def test_wheels_and_hours_are_options(tmp_path):
    """Guards against options that do not reach Kaggle."""
    with KaggleStub() as stub:
        done = push(
            stub, tmp_path, "submit", "--folder", str(tmp_path / "out"), "--with-wheels", "--hours", "8.5"
        )
    assert done.returncode == 0, done.stderr
    (sent,) = stub.sent("SaveKernel")
    assert sent["sessionTimeoutSeconds"] == 30600
    assert sent["kernelDataSources"] == ["someone/spectramind-train", "someone/spectramind-wheels"]


def test_the_submission_kernel_can_be_pushed_from_the_top_level(tmp_path):
    """Guards against top-level JSON files that only work after more than filling in the owner."""
    assert json.loads((ROOT / "dataset-metadata.json").read_text()) == dataset_metadata(owner="INSERT_OWNER")
    expected = kernel_metadata(KERNELS["submit"], owner="INSERT_OWNER", code_file=KERNELS["submit"].notebook)
    text = (ROOT / "kernel-metadata.json").read_text()
    assert json.loads(text) == expected
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "kernel-metadata.json").write_text(text.replace("INSERT_OWNER", "someone"))
    with KaggleStub() as stub:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), "kernels", "push", "-p", "."],
            cwd=tmp_path,
            env=stub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0 and "successfully pushed" in done.stdout, done.stdout + done.stderr
    (sent,) = stub.sent("SaveKernel")
    assert sent["slug"] == "someone/spectramind-submit" and sent["enableInternet"] is False


def test_the_dataset_is_created_then_versioned(tmp_path, staged):
    """Guards against files left out of the upload (folders silently are) and against metadata that Kaggle
    refuses."""
    with KaggleStub() as stub:
        created = push(stub, tmp_path, "dataset", "--folder", str(staged))
        again = push(stub, tmp_path, "dataset", "--folder", str(staged))
        version = push(stub, tmp_path, "dataset", "--folder", str(staged), "--version", "better weights")
    assert created.returncode == 0, created.stdout + created.stderr
    (sent,) = stub.sent("CreateDataset")
    assert (sent["ownerSlug"], sent["slug"], sent["licenseName"], sent["isPrivate"]) == (
        "someone",
        "spectramind-kit",
        "apache-2.0",
        True,
    )
    assert {entry["token"] for entry in sent["files"]} == {
        "token-spectramind_kit-0.1.0-py3-none-any.whl",
        "token-weights.zip",
    }
    assert (
        stub.uploads["spectramind_kit-0.1.0-py3-none-any.whl"] == b"wheel"
        and stub.uploads["weights.zip"][:2] == b"PK"
    )
    assert again.returncode != 0 and "exists already" in again.stderr and "--version" in again.stderr, (
        "the CLI itself exits 0 here"
    )
    assert version.returncode == 0, version.stdout + version.stderr
    (sent,) = stub.sent("CreateDatasetVersion")
    assert (
        sent["datasetSlug"] == "spectramind-kit"
        and sent["body"]["versionNotes"] == "better weights"
        and len(sent["body"]["files"]) == 2
    )


def test_a_version_of_an_unknown_dataset_is_an_error(tmp_path, staged):
    """Guards against a version pushed to nowhere."""
    with KaggleStub() as stub:
        done = push(stub, tmp_path, "dataset", "--folder", str(staged), "--version", "x")
    assert done.returncode != 0 and "must be created before" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "known, word",
    [
        ({"competitions": set()}, "does not know the competition"),
        ({"kernels": set()}, "does not know a kernel"),
        ({"datasets": {"another/dataset"}}, "does not know a dataset"),
    ],
)
def test_sources_that_kaggle_does_not_know_are_errors(tmp_path, known, word):
    """Guards against a wrong slug, which the CLI reports in one line and exits 0."""
    with KaggleStub(**known) as stub:
        done = push(stub, tmp_path, "train", "--folder", str(tmp_path / "out"))
    assert done.returncode != 0 and word in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("status, word", [(401, "credentials"), (403, "forbids")])
def test_refusals_are_explained(tmp_path, status, word):
    """Guards against a traceback as the answer to a competition whose rules were not accepted."""
    with KaggleStub(refuse=status) as stub:
        done = push(stub, tmp_path, "train", "--folder", str(tmp_path / "out"))
    assert done.returncode != 0 and word in done.stderr and "Traceback" not in done.stderr, (
        done.stdout + done.stderr
    )


def test_an_upload_speed_is_no_status_code():
    """Guards against '401 kB/s' being taken for refused credentials, as it was once."""
    from scripts.kaggle_release.kaggle_cli import Answer, check_answer

    text = "100%|██████████| 133/133 [00:00<00:00, 401kB/s]\nUpload successful: weights.zip (401B)\nNot found"
    with pytest.raises(DataError, match="must be created before"):
        check_answer(Answer(("kaggle",), 1, text))


def test_an_unset_owner_is_an_error(tmp_path):
    """Guards against a kernel pushed to INSERT_OWNER."""
    with KaggleStub() as stub:
        unset = push(stub, tmp_path, "train", user=None)
        placeholder = push(stub, tmp_path, "train", "--owner", "INSERT_OWNER")
        dry = push(
            stub,
            tmp_path,
            "train",
            "--owner",
            "me",
            "--dry-run",
            "--folder",
            str(tmp_path / "out"),
            user=None,
        )
    assert (
        unset.returncode != 0
        and "no Kaggle account is configured" in unset.stderr
        and "kaggle.json" in unset.stderr
    )
    assert placeholder.returncode != 0 and "not filled in" in placeholder.stderr
    assert dry.returncode == 0 and '"me/spectramind-train"' in dry.stdout, "a dry run needs no account"
    assert not stub.sent("SaveKernel")


def test_the_owner_is_read_from_the_cli_configuration(tmp_path):
    """Guards against another owner than the account that the CLI pushes as."""
    folder = tmp_path / "home" / "kaggle"
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_text(json.dumps({"username": "from-file", "key": "0" * 32}))
    (folder / "kaggle.json").chmod(0o600)
    with KaggleStub() as stub:
        done = push(stub, tmp_path, "light_curves", "--folder", str(tmp_path / "out"), user=None)
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
def test_a_damaged_kaggle_json_is_told(tmp_path, text):
    """Guards against 'no account is configured' for a file that is there, and against a traceback for
    `[]`."""
    folder = tmp_path / "home" / "kaggle"
    folder.mkdir(parents=True)
    (folder / "kaggle.json").write_bytes(text)
    with KaggleStub() as stub:
        done = push(stub, tmp_path, "train", "--folder", str(tmp_path / "out"), user=None)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert (
        "kaggle.json cannot be used" in done.stderr
        and str(folder / "kaggle.json") in done.stderr
        and "new token" in done.stderr
    )
    assert not stub.sent("SaveKernel")


@pytest.mark.parametrize("place", ["KAGGLE_API_TOKEN", ".kaggle/access_token", ".kaggle/access_token.txt"])
def test_a_new_style_token_alone_is_enough(tmp_path, monkeypatch, place):
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
        done = push(stub, tmp_path, "train", "--folder", str(tmp_path / "out"), user=None, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert stub.sent("SaveKernel")[0]["slug"] == "token-owner/spectramind-train"


def test_a_token_that_kaggle_does_not_know_is_told(tmp_path):
    """Guards against 'no account is configured' where there is a token: it is named, and so is the way on."""
    with KaggleStub() as stub:
        done = push(
            stub,
            tmp_path,
            "train",
            "--folder",
            str(tmp_path / "out"),
            user=None,
            KAGGLE_API_TOKEN="KGAT_wrong",
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


def test_a_missing_or_broken_notebook_is_an_error(tmp_path):
    """Guards against an empty kernel."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "02_trains.ipynb").write_text("{}")
    with pytest.raises(DataError, match="did you mean '02_trains.ipynb'"):
        write_kernel_folder(KERNELS["train"], tmp_path / "out", owner="me", root=tmp_path)
    (tmp_path / "notebooks" / "02_train.ipynb").write_text("not json")
    with pytest.raises(DataError, match="not a notebook"):
        write_kernel_folder(KERNELS["train"], tmp_path / "out", owner="me", root=tmp_path)


@pytest.mark.parametrize(
    "change, word",
    [
        ({"enable_interet": False}, "did you mean 'enable_internet'"),
        ({"competition_sources": COMPETITION}, "must be a list"),
        ({"competition_sources": ["ariel-data-challenge-2024"]}, "wrong competition slug"),
        ({"enable_internet": None}, "enable_internet is not said"),
        ({"title": "Something else"}, "does not turn into its slug"),
        ({"dataset_sources": ["no-owner"]}, "not an owner/slug"),
    ],
)
def test_metadata_that_the_cli_lets_pass_is_refused(change, word):
    """Guards against typing errors that the stock CLI sends without a word."""
    metadata = kernel_metadata(KERNELS["train"], owner="me", code_file="02_train.ipynb") | change
    with pytest.raises(ConfigError, match=word):
        check_kernel_metadata(metadata)


@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda folder: (folder / "dataset-metadata.json").unlink(), "nothing is staged"),
        (
            lambda folder: (folder / "dataset-metadata.json").write_text('{"id": "some'),
            "metadata are damaged",
        ),
        (lambda folder: (folder / "pyproject.toml").write_text(""), "the repository, not a staged folder"),
        (lambda folder: (folder / "spectramind_kit-0.1.0-py3-none-any.whl").unlink(), "wheel is missing"),
        (
            lambda folder: (folder / "dataset-metadata.json").write_text(
                json.dumps(dataset_metadata(owner="other"))
            ),
            "for another owner",
        ),
    ],
)
def test_only_a_staged_folder_is_pushed(tmp_path, staged, spoil, word):
    """Guards against the repository root, or half a staging, as the dataset."""
    from scripts.kaggle_release.push import check_staged

    spoil(staged)
    with pytest.raises(DataError, match=word):
        check_staged(staged, owner="someone")
