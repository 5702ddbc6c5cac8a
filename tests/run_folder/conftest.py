"""An empty data folder, and runs opened on it."""

from __future__ import annotations

import pytest

from spectramind_kit.run_folder.folder import RunFolder


@pytest.fixture
def data_dir(tmp_path):
    folder = tmp_path / "data"
    (folder / "test").mkdir(parents=True)
    (folder / "wavelengths.csv").write_text("wl_1\n0.7\n")
    return folder


@pytest.fixture
def open_run(tmp_path, data_dir):
    """`RunFolder.open` for the stage ``train`` of one run."""
    return lambda **options: RunFolder.open(tmp_path / "run", stage="train", data_dir=data_dir, **options)
