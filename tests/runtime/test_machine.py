"""`runtime.machine`: memory, cores and packages, as run.json tells them; containers: test_cgroup."""

from __future__ import annotations

import importlib.metadata

import pytest
import torch

from spectramind_kit.runtime import (
    cpu_count,
    describe_environment,
    free_memory_mb,
    machine,
    one_torch_thread,
    peak_memory_mb,
)


def test_machine_readings_are_plausible():
    """Guards against a unit slip (kB, kiB, MB) in what run.json tells."""
    assert 20 < peak_memory_mb() < 1e5
    assert free_memory_mb() > 50
    assert cpu_count() >= 1


def test_the_environment_is_described(monkeypatch):
    """Guards against a run whose versions nobody can find out, and against damaged metadata ending it."""
    monkeypatch.setattr(
        machine, "why_not", {"polars": "OSError: no", "pyarrow": "", "hydra": "not installed"}.get
    )
    described = describe_environment()
    assert described["packages"]["numpy"] and described["place"] in ("local", "kaggle", "kaggle-rerun")
    assert described["not_working"] == {"polars": "OSError: no"} and described["parquet_reader"] == "pyarrow"

    def damaged(package):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "METADATA")

    monkeypatch.setattr(importlib.metadata, "version", damaged)
    assert set(describe_environment()["packages"].values()) == {None}


def test_one_torch_thread_is_given_back():
    """Guards against a notebook that trains on one core after its figures."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with pytest.raises(ValueError), one_torch_thread():
        assert torch.get_num_threads() == 1
        raise ValueError
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
