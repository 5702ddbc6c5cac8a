"""Training on rows whose answer is known."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.run_folder.logbook import Logbook, read_logbook
from spectramind_kit.runtime import TimeBudget
from spectramind_kit.training.loop import Fold, train_fold
from tests.training.known_rows import CPU, make_network, quick_settings


def fit(held_out, path, *, budget=None, **changes):
    """The result, and the records of the epochs."""
    train_rows = held_out.dataset.rows_of(range(8, 24))
    fold = Fold(0, train_rows, held_out, 0, path / "fold_0.pt", digest="abc")
    log = Logbook(path / "metrics.jsonl", stage="train").write
    settings = quick_settings(**changes)
    result = train_fold(*make_network(), fold, settings=settings, device=CPU, log=log, budget=budget)
    return result, read_logbook(path / "metrics.jsonl", event="epoch")


@pytest.fixture(scope="module")
def trained(held_out, tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    return path, *fit(held_out, path)


def test_network_learns_what_the_anchor_missed(trained):
    """Guards against a loop that runs and learns nothing: the correction is in the inputs, on planets not
    trained on."""
    _, result, epochs = trained
    assert result.held_out_score > result.anchor_score + 0.02
    assert epochs[0]["held_out_score"] == pytest.approx(result.anchor_score, abs=1e-6)


def test_epoch_records_hold_what_the_log_promises(trained):
    """Guards against figures of the learning curve that have nothing to show."""
    _, result, epochs = trained
    assert [e["epoch"] for e in epochs] == list(range(7)) and result.epochs_run == 6
    last = epochs[-1]
    assert {"gll", "smoothness", "band_coherence", "nonnegativity", "total"} <= set(last["loss_terms"])
    assert set(last["contribution_score_drop"]) == {"fgs1", "airs"}
    assert sum(last["gradient_share"].values()) == pytest.approx(1.0, abs=1e-3)
    assert last["seconds"] > 0 and last["device"] == "CPU"


def test_warm_start_freezes_the_airs_encoder_first(trained):
    """Guards against a warm start that freezes nothing, or for good."""
    _, _, epochs = trained
    assert epochs[1]["frozen"] and epochs[1]["gradient_share"]["airs"] == 0.0
    assert not epochs[-1]["frozen"] and epochs[-1]["gradient_share"]["airs"] > 0.0


def test_resume_gives_the_same_weights_as_one_run(held_out, tmp_path, trained):
    """Guards against a restart that forgets optimiser, schedule or averaged weights."""
    _, whole, _ = trained
    stopped, _ = fit(held_out, tmp_path, budget=StopsAfter(3))
    assert stopped.epochs_run == 3
    resumed, epochs = fit(held_out, tmp_path)
    assert [e["epoch"] for e in epochs] == list(range(7))
    for name, value in whole.state.items():
        torch.testing.assert_close(resumed.state[name], value, rtol=1e-4, atol=1e-6)


class StopsAfter(TimeBudget):
    """A budget in which only so many epochs fit."""

    def __init__(self, epochs):
        super().__init__(1.0)
        self.epochs = epochs

    def fits(self, name, *, units):
        self.epochs -= 1
        return self.epochs > 0


def test_a_finished_fold_is_not_trained_again(held_out, trained):
    """Guards against hours spent twice after a restart."""
    path, result, epochs = trained
    again, log = fit(held_out, path)
    assert len(log) == len(epochs) and again.held_out_score == pytest.approx(result.held_out_score)


def test_a_damaged_checkpoint_costs_its_fold_only(held_out, tmp_path, capsys):
    """Guards against a run that cannot be started again after a power cut."""
    (tmp_path / "fold_0.pt").write_bytes(b"cut short")
    result, _ = fit(held_out, tmp_path, epochs=1)
    assert result.epochs_run == 1 and "afresh" in capsys.readouterr().out
