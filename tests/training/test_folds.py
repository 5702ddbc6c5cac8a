"""The folds of a run: trained again only for other inputs, and none of them used before all are done."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.training import folds
from tests.stale_run import SMALL, TRAIN, make_small_run

NETWORK = [*SMALL, "model/size=small", "train.epochs=1", "train.warm_start_epochs=0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change, why", [("label", "labels"), ("light curve", "measurements"), ("nothing", "")]
)
def test_folds_are_trained_again_when_an_input_changes(tmp_path, capsys, monkeypatch, change, why):
    """Guards against checkpoints of other labels or light curves that are taken as finished, and against
    folds trained twice."""
    torch.set_num_threads(1)
    run = make_small_run(tmp_path)
    run.overrides = NETWORK
    first = run.train()
    if change == "label":
        run.labels.iloc[0, 5] *= 1.5
    elif change == "light curve":
        run.change_flux(3)
    capsys.readouterr()
    again = run.train()
    trained_anew = again.digest != first.digest
    assert trained_anew == (change != "nothing")
    said = [line for line in capsys.readouterr().out.splitlines() if "trained afresh" in line]
    assert said == (
        [f"the folds are trained afresh, their inputs are not those of the last training: {why} changed"]
        if why
        else []
    )
    assert sorted(again.planet_ids) == list(TRAIN) and np.isfinite(again.predicted["depth_mean"]).all()
    same = all(
        torch.equal(a, b) for a, b in zip(first.folds[0].state.values(), again.folds[0].state.values())
    )
    assert same == (change == "nothing")


def test_no_time_for_an_epoch_leaves_the_anchor(small_run, capsys):
    """Guards against a blend fitted on the planets of some folds only."""
    small_run.overrides = NETWORK
    assert small_run.train(budget_hours=1e-9) is None
    assert "no time for one epoch of each fold" in capsys.readouterr().out


def test_a_plan_is_kept_by_a_restart(small_run, monkeypatch):
    """Guards against learning rates that change in the middle of a training, because the clock went on."""
    small_run.overrides = [*NETWORK[:-2], "train.epochs=5", "train.warm_start_epochs=0"]
    monkeypatch.setattr(folds, "plan_epochs", lambda *_, **__: 2)
    assert [fold.epochs_run for fold in small_run.train().folds] == [2, 2]
    monkeypatch.setattr(folds, "plan_epochs", lambda *_, **__: pytest.fail("it was planned before"))
    assert [fold.epochs_run for fold in small_run.train().folds] == [2, 2]
