"""Checkpoints."""

from __future__ import annotations

import os
from types import SimpleNamespace

import torch

from spectramind_kit.fingerprint import file_fingerprint
from spectramind_kit.training.checkpoint import load_checkpoint, save_checkpoint


def test_the_same_weights_are_the_same_file(tmp_path, monkeypatch):
    """Guards against a bundle that counts as another one after 02_train was run again on the same inputs:
    each process wrote its number into the weights."""
    content, found = {"model": {"weight": torch.arange(6.0)}}, []
    for number in (17, 4711):
        # its own `os`: a worker pool that ends in another thread asks for the real number
        system = SimpleNamespace(getpid=lambda own=number: own, replace=os.replace, fsync=os.fsync)
        monkeypatch.setattr("spectramind_kit.whole_file.os", system)
        path = save_checkpoint(tmp_path / str(number) / "fold_0.pt", content, digest="d")
        found.append(file_fingerprint(path))
        assert load_checkpoint(path, digest="d")["model"]["weight"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found[0] == found[1]
    assert not list(tmp_path.rglob("*.part*"))
