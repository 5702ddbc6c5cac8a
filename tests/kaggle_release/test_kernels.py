"""`kaggle_release.kernels`: metadata are whole before anything is sent."""

from __future__ import annotations

import pytest

from scripts.kaggle_release.kernels import (
    KERNELS,
    check_kernel_metadata,
    kernel_metadata,
    write_kernel_folder,
)
from spectramind_kit.errors import ConfigError, DataError

COMPETITION = "ariel-data-challenge-2025"


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
