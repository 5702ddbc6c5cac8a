"""`scripts/push_kaggle`, with the stock Kaggle CLI against a stub of its API on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.kaggle_release.kernels import KERNELS, ROOT, dataset_metadata, kernel_metadata
from spectramind_kit.errors import DataError
from tests.kaggle_stub import KaggleStub

COMPETITION = "ariel-data-challenge-2025"
EXPECTED = {  # gpu, internet, competition, kernels
    "wheels": (True, True, [], []),
    "light_curves": (False, False, [COMPETITION], []),
    "train": (True, False, [COMPETITION], ["someone/spectramind-light-curves"]),
    "submit": (True, False, [COMPETITION], ["someone/spectramind-train"]),
}


@pytest.mark.parametrize("name", KERNELS)
def test_each_kernel_is_sent_as_it_should_be(tmp_path, name, push):
    """Guards against a kernel that goes up with internet on, without its inputs, on the wrong machine, or
    with other code."""
    gpu, internet, competitions, kernels = EXPECTED[name]
    with KaggleStub() as stub:
        done = push(stub, name, "--folder", str(tmp_path / "out"))
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


def test_wheels_and_hours_are_options(tmp_path, push):
    """Guards against options that do not reach Kaggle."""
    with KaggleStub() as stub:
        done = push(stub, "submit", "--folder", str(tmp_path / "out"), "--with-wheels", "--hours", "8.5")
    assert done.returncode == 0, done.stderr
    (sent,) = stub.sent("SaveKernel")
    assert sent["sessionTimeoutSeconds"] == 30600
    assert sent["kernelDataSources"] == ["someone/spectramind-train", "someone/spectramind-wheels"]


def test_the_submission_kernel_can_be_pushed_from_the_top_level(tmp_path):
    """Guards against top-level JSON files that only work after more than filling in the owner."""
    pytest.importorskip("kagglesdk", reason="the Kaggle CLI is not installed (pip install kaggle==2.2.4 six)")
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


def test_the_dataset_is_created_then_versioned(staged, push):
    """Guards against files left out of the upload (folders silently are) and against metadata that Kaggle
    refuses."""
    with KaggleStub() as stub:
        created = push(stub, "dataset", "--folder", str(staged))
        again = push(stub, "dataset", "--folder", str(staged))
        version = push(stub, "dataset", "--folder", str(staged), "--version", "better weights")
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


def test_a_version_of_an_unknown_dataset_is_an_error(staged, push):
    """Guards against a version pushed to nowhere."""
    with KaggleStub() as stub:
        done = push(stub, "dataset", "--folder", str(staged), "--version", "x")
    assert done.returncode != 0 and "must be created before" in done.stderr, done.stderr


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
