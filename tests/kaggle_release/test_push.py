"""`scripts/push_kaggle`, with the stock Kaggle CLI against a stub of its API on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.kaggle_release import push as push_module
from scripts.kaggle_release.kernels import KERNELS, KIT_WHEEL, ROOT, dataset_metadata, kernel_metadata
from spectramind_kit.errors import DataError
from tests.kaggle_stub import KaggleStub

COMPETITION = "ariel-data-challenge-2025"
EXPECTED = {  # gpu, internet, competition, kernels
    "wheels": (True, True, [], []),
    "light_curves": (False, False, [COMPETITION], []),
    "train": (True, False, [COMPETITION], ["someone/spectramind-light-curves"]),
    "submit": (True, False, [COMPETITION], ["someone/spectramind-train"]),
}

PLACEHOLDER = {"kernel-metadata.json": "INSERT_OWNER//", "dataset-metadata.json": "INSERT_OWNER/"}


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
    """Guards against options that do not reach Kaggle, or a notebook that plans for nine hours and is stopped
    after eight."""
    with KaggleStub() as stub:
        done = push(stub, "submit", "--folder", str(tmp_path / "out"), "--with-wheels", "--hours", "8.5")
    assert done.returncode == 0, done.stderr
    (sent,) = stub.sent("SaveKernel")
    assert sent["sessionTimeoutSeconds"] == 30600 and "budget_hours: float = 8.5 " in sent["text"]
    assert sent["kernelDataSources"] == ["someone/spectramind-train", "someone/spectramind-wheels"]
    assert "parameter: budget_hours = 8.5" in done.stdout


def test_shards_are_kernels_of_their_own(tmp_path, push):
    """Guards against four shards that overwrite each other, and a training that reads one of them."""
    with KaggleStub() as stub:
        slug = "spectramind-light-curves-2"
        shard = ("light_curves", "--slug", slug, "-p", "shard=2/4", "--folder", str(tmp_path / "a"))
        read = ("--reads", "spectramind-light-curves-1", "--reads", "other/their-kernel")
        for done in (push(stub, *shard), push(stub, "train", *read, "--folder", str(tmp_path / "b"))):
            assert done.returncode == 0, done.stderr
    light_curves, train = stub.sent("SaveKernel")
    assert light_curves["slug"] == f"someone/{slug}"
    assert light_curves["newTitle"] == "SpectraMind light curves 2"
    assert "shard: str = '2/4' " in json.loads(light_curves["text"])["cells"][1]["source"]
    assert train["kernelDataSources"] == ["someone/spectramind-light-curves-1", "other/their-kernel"]


def test_weights_in_the_dataset_need_no_train_kernel(tmp_path, push, staged, small_run, monkeypatch, capsys):
    """Guards against 'train on your own machine' that ends in 'Kaggle does not know a kernel', and against a
    submission without any weights."""
    with KaggleStub(kernels=set()) as stub:
        for name, value in stub.environment(tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setattr(push_module, "STAGED", tmp_path / "dist")
        (tmp_path / "dist").mkdir()
        staged.rename(tmp_path / "dist" / "dataset")
        assert push_module.main(["submit", "--weights-in-dataset"]) == 1
        assert "holds no weights" in capsys.readouterr().err and not stub.calls
        shutil.copytree(small_run.root / "bundle", tmp_path / "dist" / "dataset" / "bundle")
        assert (
            push_module.main(["dataset"]) == 0 and push_module.main(["submit", "--weights-in-dataset"]) == 0
        )
    (sent,) = stub.sent("SaveKernel")
    assert not sent.get("kernelDataSources") and sent["datasetDataSources"] == ["someone/spectramind-kit"]
    assert stub.uploads["bundle.zip"][:2] == b"PK"


def test_another_address_than_asked_for_is_told(tmp_path, push):
    """Guards against a train kernel that reads the light curves of an address that Kaggle did not give."""
    with KaggleStub(moved_to="someone/spectramind-train-2") as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"))
    assert (
        done.returncode == 0
        and "someone/spectramind-train-2, not at someone/spectramind-train" in done.stderr
    )


def test_ctrl_c_says_how_to_go_on(staged, monkeypatch, capsys):
    """Guards against a traceback for an upload that is stopped."""

    def stopped(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(push_module, "run_cli", stopped)
    assert push_module.main(["dataset", "--owner", "someone", "--folder", str(staged)]) == 130
    assert capsys.readouterr().err == "stopped: run the same command again to go on\n"


@pytest.mark.slow
def test_an_upload_has_an_end(staged, push):
    """Guards against a push that hangs for ever."""
    with KaggleStub(upload_s=20) as stub:
        done = push(stub, "dataset", "--folder", str(staged), "--minutes", "0.1")
    assert done.returncode == 1 and "did not end in time" in done.stderr, done.stderr
    assert "run the same command again" in done.stderr


def from_the_top_level(
    tmp_path: Path, *arguments: str, owner: str = ""
) -> tuple[KaggleStub, subprocess.CompletedProcess]:
    """The stock CLI in a copy of the top level, with the owner filled in or not."""
    pytest.importorskip("kagglesdk", reason="the Kaggle CLI is not installed (pip install kaggle==2.2.4 six)")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "README.md").touch()
    for name in PLACEHOLDER:
        text = (ROOT / name).read_text(encoding="utf-8")
        text = text.replace(PLACEHOLDER[name], f"{owner}/") if owner else text
        (tmp_path / name).write_text(text, encoding="utf-8")
    with KaggleStub() as stub:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), *arguments, "-p", "."],
            cwd=tmp_path,
            env=stub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=60,
        )
    return stub, done


def test_the_files_at_the_top_level_are_the_scripts_own():
    """Guards against two truths about the submission kernel and the dataset."""
    submit = kernel_metadata(KERNELS["submit"], owner="me", code_file=KERNELS["submit"].notebook)
    for (name, placeholder), own in zip(PLACEHOLDER.items(), (submit, dataset_metadata(owner="me"))):
        assert json.loads((ROOT / name).read_text(encoding="utf-8").replace(placeholder, "me/")) == own


def test_the_submission_kernel_can_be_pushed_from_the_top_level(tmp_path):
    """Guards against a top-level JSON file that only works after more than filling in the owner."""
    stub, done = from_the_top_level(tmp_path, "kernels", "push", owner="someone")
    assert done.returncode == 0 and "successfully pushed" in done.stdout, done.stdout + done.stderr
    (sent,) = stub.sent("SaveKernel")
    assert sent["slug"] == "someone/spectramind-submit" and sent["enableInternet"] is False


@pytest.mark.parametrize(
    "what, owner, word",
    [
        (("kernels", "push"), "", "{username}/{kernel-slug}"),
        (("datasets", "create"), "", KIT_WHEEL),
        (("datasets", "create"), "someone", KIT_WHEEL),
        (("datasets", "version", "-m", "x"), "someone", KIT_WHEEL),
    ],
)
def test_the_top_level_is_refused_by_the_cli_itself(tmp_path, what, owner, word):
    """Guards against a kernel sent to INSERT_OWNER, and the repository sent as the dataset."""
    stub, done = from_the_top_level(tmp_path, *what, owner=owner)
    assert done.returncode == 1 and word in done.stderr and not stub.calls, done.stdout + done.stderr


def test_the_dataset_is_created_then_versioned(staged, push):
    """Guards against files left out of the upload (folders silently are) and against metadata that Kaggle
    refuses."""
    with KaggleStub() as stub:
        created = push(stub, "dataset", "--folder", str(staged))
        again = push(stub, "dataset", "--folder", str(staged))
        version = push(stub, "dataset", "--folder", str(staged), "--version", "better weights")
    assert created.returncode == 0, created.stdout + created.stderr
    assert "Starting upload for file" in created.stderr, "an hour without a word"
    (sent,) = stub.sent("CreateDataset")
    assert (sent["ownerSlug"], sent["slug"], sent["licenseName"], sent["isPrivate"]) == (
        "someone",
        "spectramind-kit",
        "apache-2.0",
        True,
    )
    assert {entry["token"] for entry in sent["files"]} == {f"token-{KIT_WHEEL}", "token-weights.zip"}
    assert stub.uploads[KIT_WHEEL] == b"wheel" and stub.uploads["weights.zip"][:2] == b"PK"
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
        (lambda folder: (folder / KIT_WHEEL).unlink(), "is missing in the staged"),
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
