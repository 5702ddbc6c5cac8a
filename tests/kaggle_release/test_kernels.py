"""`kaggle_release.kernels`: metadata are whole before anything is sent."""

from __future__ import annotations

import pytest

from scripts.kaggle_release.kernels import KERNELS, check_kernel_metadata, kernel_metadata, slug_of
from spectramind_kit.errors import ConfigError

COMPETITION = "ariel-data-challenge-2025"


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


def test_titles_turn_into_slugs():
    """Guards against a second kernel under another address, which Kaggle makes of a title that disagrees."""
    for kernel in KERNELS.values():
        assert slug_of(kernel.title) == kernel.slug and kernel.title.startswith("SpectraMind ")
