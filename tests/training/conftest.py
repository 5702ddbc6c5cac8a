"""A dataset of rows whose answer is known, and the planets of it that are held out."""

from __future__ import annotations

import pytest

from spectramind_kit.metric import Metric
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import HeldOut
from spectramind_kit.training.normaliser import Normaliser
from tests.training.known_rows import rows_and_labels


@pytest.fixture(scope="session")
def dataset() -> VisitDataset:
    rows, depth = rows_and_labels()
    return VisitDataset(rows, normaliser=Normaliser.fit(rows), depth=depth)


@pytest.fixture(scope="session")
def held_out(dataset) -> HeldOut:
    """The first eight of 24 planets, two of them with two visits."""
    return HeldOut(dataset, dataset.rows_of(range(8)), Metric(0.0147, 0.0107))
