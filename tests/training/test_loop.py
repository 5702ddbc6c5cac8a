"""Training on rows whose answer is known."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.logbook import Logbook, read_logbook
from spectramind_kit.runtime import TimeBudget, say_once
from spectramind_kit.training.fold_state import FoldState
from spectramind_kit.training.loop import Fold, train_epoch, train_fold
from spectramind_kit.training.precision import FLOAT32_CPU
from tests.training.known_rows import CPU, make_network, quick_settings


def fold_of(held_out, path, *, pretrained=False):
    """The first eight planets are held out, sixteen are trained on."""
    train_rows = held_out.dataset.rows_of(range(8, 24))
    return Fold(0, train_rows, held_out, 0, path / "fold_0.pt", digest="abc", pretrained=pretrained)


def fit(held_out, path, *, budget=None, pretrained=False, **changes):
    """The result, and the records of the epochs."""
    fold = fold_of(held_out, path, pretrained=pretrained)
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
    assert result.held_out_score > result.reference_score + 0.02
    assert epochs[0]["held_out_score"] == pytest.approx(result.reference_score, abs=1e-6)
    assert result.chosen_epoch == 6, "without inner planets the last epoch is taken"


def test_epoch_records_hold_what_the_log_promises(trained):
    """Guards against figures of the learning curve that have nothing to show."""
    _, result, epochs = trained
    assert [e["epoch"] for e in epochs] == list(range(7)) and result.epochs_run == 6
    last = epochs[-1]
    assert {"gll", "smoothness", "band_coherence", "nonnegativity", "total"} <= set(last["loss_terms"])
    assert set(last["contribution_score_drop"]) == {"fgs1", "airs"}
    assert sum(last["gradient_share"].values()) == pytest.approx(1.0, abs=1e-3)
    assert last["seconds"] > 0 and last["device"] == "CPU"


def test_a_fold_without_a_checkpoint_writes_nothing_and_learns_the_same(
    held_out, tmp_path, trained, monkeypatch
):
    """Guards against a page of one's own that has to invent a folder, a digest and a log."""
    monkeypatch.chdir(tmp_path)
    fold = Fold(0, held_out.dataset.rows_of(range(8, 24)), held_out)
    result = train_fold(*make_network(), fold, settings=quick_settings(), device=CPU)
    assert result.held_out_score == pytest.approx(trained[1].held_out_score) and not list(tmp_path.iterdir())


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


def test_inner_planets_are_neither_trained_on_nor_held_out(held_out, tmp_path):
    """Guards against an epoch that is chosen on planets which were learned, or which score it at the end."""
    fold = fold_of(held_out, tmp_path)
    rows, inner = fold.split(0.25)
    planets = [set(held_out.dataset.planet_id[part].tolist()) for part in (rows, inner.rows, held_out.rows)]
    assert [len(part) for part in planets] == [12, 4, 8] and len(set.union(*planets)) == 24
    assert sorted([*rows, *inner.rows]) == sorted(fold.train_rows), "a planet's visits go together"
    again, _ = fold_of(held_out, tmp_path).split(0.25)
    np.testing.assert_array_equal(rows, again)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_too_few_inner_planets_are_none(held_out, tmp_path, share):
    """Guards against an epoch that is chosen by the luck of three planets."""
    fold = fold_of(held_out, tmp_path)
    rows, inner = fold.split(share)
    assert inner is None and rows is fold.train_rows


def test_the_epoch_of_the_inner_planets_is_taken(held_out, tmp_path, monkeypatch):
    """Guards against weights of one epoch beside the score of another, and against a restart that forgets
    what the inner planets said of the start and of the best epoch."""
    monkeypatch.setattr("spectramind_kit.training.chosen.DOUBT_PLANETS", 0.0)  # they are eight
    whole, epochs = fit(held_out, tmp_path / "whole", inner_share=0.5, epochs=3)
    inner = [e["inner_score"] for e in epochs]
    assert whole.chosen_epoch > 0 and inner[whole.chosen_epoch] == max(inner)
    assert whole.held_out_score == pytest.approx(epochs[whole.chosen_epoch]["latest_score"])
    for e in epochs:
        assert e["held_out_score"] == pytest.approx(epochs[e["chosen_epoch"]]["latest_score"])
    fit(held_out, tmp_path / "parts", inner_share=0.5, epochs=3, budget=StopsAfter(2))
    parts, _ = fit(held_out, tmp_path / "parts", inner_share=0.5, epochs=3)
    assert parts.chosen_epoch == whole.chosen_epoch
    assert parts.held_out_score == pytest.approx(whole.held_out_score, abs=1e-5)


def test_a_training_that_does_not_help_changes_nothing(held_out, tmp_path):
    """Guards against weights that are worse than those the training began with: at a rate that learns
    nothing, the start stays."""
    model, _ = make_network()
    result, epochs = fit(held_out, tmp_path, inner_share=0.5, learning_rate=1e-12, epochs=2)
    assert result.chosen_epoch == 0 and result.epochs_run == 2 and epochs[-1]["chosen_epoch"] == 0
    for name, value in model.state_dict().items():
        assert torch.equal(result.state[name], value), name


def test_pretrained_encoders_both_wait(held_out, tmp_path):
    """Guards against weights that a few planets spoil before the head has learned what they say."""
    _, fresh = fit(held_out, tmp_path / "fresh", epochs=1)
    _, trained = fit(held_out, tmp_path / "trained", epochs=1, pretrained=True)
    assert fresh[1]["gradient_share"]["fgs1"] > 0.0 == trained[1]["gradient_share"]["fgs1"]
    assert len(trained[1]["frozen"]) > len(fresh[1]["frozen"])


# ---------------------------------------------------------------- numbers that are not finite


MARK = 99.0  # a time


class Broken(torch.nn.Module):
    """A network that says NaN of planets with a mark; of all of them when ``lost``."""

    def __init__(self, *, lost=False):
        super().__init__()
        model, self.loss = make_network()
        self.inner, self.lost, self.seen = model, lost, []
        for name in ("fgs1_encoder", "airs_encoder", "fusion", "decoder"):
            setattr(self, name, getattr(model, name))

    def forward(self, batch):
        output = self.inner(batch)
        broken = (batch["time"].abs().amax(1, keepdim=True) > MARK / 2) | self.lost
        self.seen.append(bool(broken.any()))
        return replace(output, depth_mean=output.depth_mean.masked_fill(broken, float("nan")))


@pytest.fixture
def training(held_out):
    """One epoch of a `Broken` network, in which planet 9 is marked."""
    marked = held_out.dataset.tensors["time"].clone()
    marked[held_out.dataset.rows_of([9]), 0] = -MARK
    dataset = copy(held_out.dataset)
    dataset.tensors = held_out.dataset.tensors | {"time": marked}
    say_once.cache_clear()

    def run(model, *, repeats=1):
        state = FoldState(model, settings=quick_settings(), precision=FLOAT32_CPU, steps_per_epoch=4)
        rows = dataset.rows_of(range(8, 24))
        batches = dataset.batches(rows, size=4) * repeats
        means = train_epoch(state, model.loss, ((dataset, b) for b in batches), rng=np.random.default_rng(0))
        return state, means

    return run


def test_a_batch_without_a_finite_loss_is_left_out_and_its_planet_named(training, capsys):
    """Guards against one broken light curve that ends the training, or makes every weight NaN."""
    model = Broken()
    state, means = training(model)
    said = capsys.readouterr().out
    assert "planets 9\n" in said and said.count("left out") == 1
    assert sum(model.seen) == 1 < len(model.seen) and np.isfinite(means["loss_terms"]["total"])
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert state.average.steps == len(model.seen) - 1, "the others were learned from"


def test_a_network_that_is_lost_is_said(training):
    """Guards against hours of batches that are all left out."""
    with pytest.raises(DataError, match="no finite numbers") as error:
        training(Broken(lost=True), repeats=6)
    assert "20 batches" in str(error.value) and "learning_rate" in str(error.value)
