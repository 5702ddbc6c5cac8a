"""A push against a stub of Kaggle's API, and a staged dataset; skips where the stock CLI is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.kaggle_release.kernels import KIT_WHEEL, ROOT, dataset_metadata
from tests.kaggle_stub import KaggleStub


@pytest.fixture
def push(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """``push(stub, *arguments, user=…, **variables)`` calls scripts/push_kaggle."""
    pytest.importorskip("kagglesdk", reason="the Kaggle CLI is not installed (pip install kaggle==2.2.4 six)")

    def call(stub: KaggleStub, *arguments: str, user: str | None = "someone", **variables: str):
        environment = stub.environment(tmp_path / "home", user=user) | {"PYTHONPATH": str(ROOT)} | variables
        command = [sys.executable, "-m", "scripts.kaggle_release.push", *arguments]
        settings = dict(cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        return subprocess.run(command, **settings)

    return call


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A staged dataset with a folder in it, made by hand (the real one is built in test_stage.py)."""
    folder = tmp_path / "dataset"
    (folder / "weights" / "abc").mkdir(parents=True)
    (folder / KIT_WHEEL).write_bytes(b"wheel")
    (folder / "weights" / "abc" / "fold_0.pt").write_bytes(b"weights")
    (folder / "dataset-metadata.json").write_text(json.dumps(dataset_metadata(owner="someone")))
    return folder
