"""`kaggle_release.kaggle_cli`: what the stock CLI prints is read, not only its exit code."""

from __future__ import annotations

import pytest

from spectramind_kit.errors import DataError
from tests.kaggle_stub import KaggleStub


@pytest.mark.parametrize(
    "known, word",
    [
        ({"competitions": set()}, "does not know the competition"),
        ({"kernels": set()}, "does not know a kernel"),
        ({"datasets": {"another/dataset"}}, "does not know a dataset"),
    ],
)
def test_sources_that_kaggle_does_not_know_are_errors(tmp_path, known, word, push):
    """Guards against a wrong slug, which the CLI reports in one line and exits 0."""
    with KaggleStub(**known) as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"))
    assert done.returncode != 0 and word in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize(
    "status, word",
    [
        (401, "does not accept the token"),
        (403, "forbids"),
        (429, "wait a quarter of an hour and run the same command again"),
        (500, "a failure of its own"),
        (503, "run the same command again in some minutes"),
    ],
)
def test_refusals_are_explained(tmp_path, status, word, push):
    """Guards against a traceback as the answer to a competition whose rules were not accepted."""
    with KaggleStub(refuse=status) as stub:
        done = push(stub, "train", "--folder", str(tmp_path / "out"))
    assert done.returncode != 0 and word in done.stderr and "Traceback" not in done.stderr, (
        done.stdout + done.stderr
    )


def test_an_upload_speed_is_no_status_code():
    """Guards against '401 kB/s' being taken for refused credentials, as it was once."""
    from scripts.kaggle_release.kaggle_cli import Answer, check_answer

    text = "100%|██████████| 133/133 [00:00<00:00, 401kB/s]\nUpload successful: weights.zip (401B)\nNot found"
    with pytest.raises(DataError, match="must be created before"):
        check_answer(Answer(("kaggle",), 1, text))
