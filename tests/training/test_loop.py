"""Training on rows whose answer is known: the label is the anchor plus a correction that the inputs
reveal."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from spectramind_kit.configs import load_config
from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.errors import DataError
from spectramind_kit.metric import Metric
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.logbook import Logbook, read_logbook
from spectramind_kit.runtime import Device, TimeBudget
from spectramind_kit.training.contributions import embedding_drops
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import HeldOut, combine_visits, evaluate_rows
from spectramind_kit.training.loop import Fold, train_fold
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.settings import TrainSettings

CPU = Device("cpu", "cpu", "float32", "CPU")
METRIC = Metric(0.0147, 0.0107)
STEPS = 40


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def rows_and_labels(n=24, *, seed=0, signal=1.5):
    """Planets whose correction, in units of the anchor's error, is ``signal`` times the residual in
    transit."""
    rng = np.random.default_rng(seed)
    time = np.linspace(-2, 2, STEPS)
    shape = -np.clip((1.1 - np.abs(time)) / 0.2, 0, 1)
    rows, depth = [], {}
    for planet in range(n):
        push = rng.normal()
        anchor = np.full(283, rng.uniform(0.008, 0.02))
        err = np.full(283, 1e-4)
        star = {"Ts": rng.normal(5800, 300), "odd": np.nan if planet == 0 else 1.0}
        bins = np.zeros((283, 5))
        bins[:, 1] = push
        for visit in range(1 + (planet % 6 == 0)):
            rows.append(
                {
                    "planet_id": planet,
                    "visit": visit,
                    "fgs1": push * shape + rng.normal(0, 0.3, STEPS),
                    "airs": push * shape[:, None] + rng.normal(0, 0.3, (STEPS, 282)),
                    "fgs1_transit": shape,
                    "time": time,
                    "bins": bins,
                    "star": star,
                    "anchor_depth": anchor,
                    "anchor_err": err,
                    "wavelength_um": np.r_[0.7, np.linspace(1.95, 3.9, 282)],
                }
            )
        depth[planet] = anchor + 1e-4 * (signal * push + rng.normal(0, 0.2, 283))
    return rows, depth


def settings(**changes):
    config = to_plain(load_config(profile="quick").train)
    return TrainSettings(
        **{
            **config,
            "epochs": 6,
            "warm_start_epochs": 1,
            "learning_rate": 5e-3,
            "ema_decay": 0.8,
            "batch_size": 8,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def dataset():
    rows, depth = rows_and_labels()
    return VisitDataset(rows, normaliser=Normaliser.fit(rows), depth=depth)


def model_and_loss():
    torch.manual_seed(0)
    config = load_config(profile="quick", overrides=["model.size.width=16", "model.size.airs_channels=4"])
    return (
        build_model(config.model, bin_features=5, star_features=2),
        instantiate(to_plain(config.loss), where="loss"),
    )


def fit(dataset, path, **changes):
    logbook = Logbook(path / "metrics.jsonl", stage="train")
    model, loss = model_and_loss()
    budget = changes.pop("budget", None)
    held_out = HeldOut(dataset, dataset.rows_of(range(8)), METRIC)
    result = train_fold(
        model,
        loss,
        Fold(0, dataset.rows_of(range(8, 24)), held_out, 0, path / "fold_0.pt", digest="abc"),
        settings=settings(**changes),
        device=CPU,
        log=logbook.write,
        budget=budget,
    )
    return result, list(read_logbook(path / "metrics.jsonl", event="epoch"))


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("run")
    return path, *fit(dataset, path)


def test_network_learns_what_the_anchor_missed(trained):
    """Guards against a loop that runs and learns nothing: the correction is in the inputs, on planets not
    trained on."""
    _, result, epochs = trained
    assert result.held_out_score > result.anchor_score + 0.02
    assert epochs[0]["held_out_score"] == pytest.approx(result.anchor_score, abs=1e-6)


def test_epoch_records_hold_what_the_log_promises(trained):
    _, result, epochs = trained
    assert [e["epoch"] for e in epochs] == list(range(7)) and result.epochs_run == 6
    last = epochs[-1]
    assert {"gll", "smoothness", "band_coherence", "nonnegativity", "total"} <= set(last["loss_terms"])
    assert set(last["contribution_score_drop"]) == {"fgs1", "airs"}
    assert sum(last["gradient_share"].values()) == pytest.approx(1.0, abs=1e-3)
    assert last["seconds"] > 0 and last["device"] == "CPU"


def test_warm_start_freezes_the_airs_encoder_first(trained):
    _, _, epochs = trained
    assert epochs[1]["frozen"] and epochs[1]["gradient_share"]["airs"] == 0.0
    assert not epochs[-1]["frozen"] and epochs[-1]["gradient_share"]["airs"] > 0.0


def test_resume_gives_the_same_weights_as_one_run(dataset, tmp_path, trained):
    """Guards against a restart that forgets optimiser, schedule or averaged weights."""
    _, whole, _ = trained
    stopped, _ = fit(dataset, tmp_path, budget=StopsAfter(3))
    assert stopped.epochs_run == 3
    resumed, epochs = fit(dataset, tmp_path)
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


def test_a_finished_fold_is_not_trained_again(dataset, trained):
    path, result, epochs = trained
    again, log = fit(dataset, path)
    assert len(log) == len(epochs) and again.held_out_score == pytest.approx(result.held_out_score)


def test_a_damaged_checkpoint_costs_its_fold_only(dataset, tmp_path, capsys):
    (tmp_path / "fold_0.pt").write_bytes(b"cut short")
    result, _ = fit(dataset, tmp_path, epochs=1)
    assert result.epochs_run == 1 and "afresh" in capsys.readouterr().out


def test_missing_star_features_become_the_mean(dataset):
    assert dataset.tensors["star"].isfinite().all()
    assert torch.isfinite(dataset.tensors["bins"]).all()


def test_time_flip_turns_every_time_series(dataset):
    rows = dataset.rows_of([3])
    plain, turned = dataset.batch(rows), dataset.batch(rows, flipped=True)
    torch.testing.assert_close(plain["airs"].flip(1), turned["airs"])
    torch.testing.assert_close(plain["time"].flip(1), -turned["time"])
    torch.testing.assert_close(plain["bins"], turned["bins"])


def test_an_embedding_that_says_nothing_drops_nothing(dataset):
    """Guards against contributions that are artefacts: the untouched anchored head ignores both encoders."""
    model, _ = model_and_loss()
    held_out = HeldOut(dataset, dataset.rows_of(range(8)), METRIC)
    found = evaluate_rows(model, dataset, held_out.rows)
    score = held_out.score(found["depth_mean"], found["depth_sigma"])
    drops = embedding_drops(model, held_out, score=score)
    assert max(abs(v) for v in drops.values()) < 1e-6


def test_visits_combine_to_planets_in_order():
    planets, mean, sigma = combine_visits(
        np.array([7, 3, 7]), np.array([[1.0], [5.0], [3.0]]), np.array([[1.0], [2.0], [1.0]])
    )
    assert (
        planets.tolist() == [7, 3]
        and mean[:, 0].tolist() == [2.0, 5.0]
        and sigma[:, 0].tolist() == [1.0, 2.0]
    )


def test_no_rows_is_an_error_that_says_so():
    with pytest.raises(DataError, match="no visit"):
        VisitDataset([], normaliser=None)


def test_logbook_survives_a_cut_line(tmp_path):
    book = Logbook(tmp_path / "m.jsonl", stage="x")
    book.write("score", value=np.float32(0.5), bad=float("nan"), array=np.arange(2))
    with open(tmp_path / "m.jsonl", "a") as lines:
        lines.write(json.dumps({"event": "score"})[:7])
    (record,) = read_logbook(tmp_path / "m.jsonl")
    assert (record["value"], record["bad"], record["array"]) == (0.5, None, [0, 1])
