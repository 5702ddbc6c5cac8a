"""The direct prediction, trained on simulated planets: a small one, in seconds."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch

from spectramind_kit.configs import load_config
from spectramind_kit.errors import ConfigError
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.run_folder.logbook import read_logbook
from spectramind_kit.training import pretrain as module
from spectramind_kit.training import simulated_shards
from spectramind_kit.training.pretrain import Pretraining, main, pretrain
from spectramind_kit.training.pretrained import RECIPE, find_pretrained, load_pretrained

HOW = Pretraining(epochs=2, planets=12, replay=2, batch_size=6, seed=4)
TINY = (
    *("model.size.width=16", "model.size.airs_channels=4", "model.size.fgs1_depth=1"),
    *("model.size.readings=3", "model.size.experts=2", "model.size.fgs1_headdim=16"),
)


@pytest.fixture(scope="module", autouse=True)
def small():
    """A dozen planets to judge by, all simulated in this process."""

    @contextmanager
    def no_workers(workers, *, task):
        yield None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_JUDGED_PLANETS", 12)
        patch.setattr(simulated_shards, "worker_pool", no_workers)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Where a whole training left its files, its card, and what it said."""
    out, said = tmp_path_factory.mktemp("pretrained"), []
    return out, pretrain(out, how=HOW, overrides=TINY, tell=said.append), said


def test_it_writes_weights_that_a_training_can_start_from(trained):
    """Guards against weights and a card that `train.start` refuses."""
    out, card, _ = trained
    model = load_config(overrides=["model/decoder=direct", "model/size=shipped", *TINY]).model
    found = find_pretrained(model, str(out / "direct.pt"))
    assert found.card["data"]["planets"] == 12 and found.card["recipe"] == RECIPE
    assert found.card == read_json(out / "direct.json")
    features = {
        "bin_features": len(found.normaliser.bin_mean),
        "star_features": len(found.normaliser.star_names),
    }
    network = build_model(model, **features)
    network.load_state_dict(found.state)
    assert card["parameters"] == network.n_parameters()["total"]


def test_every_epoch_is_told_and_logged(trained):
    """Guards against hours of which nobody can see whether they help."""
    out, card, said = trained
    epochs = read_logbook(out / "metrics.jsonl", event="epoch")
    assert [e["epoch"] for e in epochs] == [1, 2] and len(said) == 2 and said[1].startswith("epoch 2/2")
    scores = ("score", "level_error_ppm", "fgs1_error_ppm", "shape_error_ppm")
    assert set(scores) == set(card["scores"]) and all(
        epochs[1][name] == card["scores"][name] for name in scores
    )
    assert all(card["scores"][name] > 0 for name in scores[1:])


def test_the_mean_is_learned_first(trained):
    """Guards against a share of the epochs that is taken for a number of them: 0.3 of two is the first."""
    out, _, _ = trained
    terms = [set(e["loss_terms"]) for e in read_logbook(out / "metrics.jsonl", event="epoch")]
    assert "squared_error" in terms[0] - terms[1] and "gll" in terms[1] - terms[0]


def test_the_same_command_goes_on_after_an_interruption(trained, tmp_path):
    """Guards against a restart that learns other planets, or forgets optimiser, schedule and average."""

    def interrupt(text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path, how=HOW, overrides=TINY, tell=interrupt)
    assert not (tmp_path / "direct.pt").exists()
    said = []
    pretrain(tmp_path, how=HOW, overrides=TINY, tell=said.append)
    assert [text[:9] for text in said] == ["epoch 2/2"]
    whole, parts = (load_pretrained(folder / "direct.pt").state for folder in (trained[0], tmp_path))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-4, atol=1e-6)


def test_a_finished_training_is_not_done_again(trained):
    """Guards against hours spent twice, and against a card without scores."""
    out, card, _ = trained
    said = []
    again = pretrain(out, how=HOW, overrides=TINY, tell=said.append)
    assert said == [] and again["scores"] == pytest.approx(card["scores"])


def test_another_training_in_the_same_folder_begins_afresh(trained, tmp_path, capsys):
    """Guards against weights that are of neither of two commands."""
    out, _, _ = trained
    (tmp_path / "state.pt").write_bytes((out / "state.pt").read_bytes())
    said = []
    other = Pretraining(**{**vars(HOW), "epochs": 1, "seed": 5})
    pretrain(tmp_path, how=other, overrides=TINY, tell=said.append)
    assert [text[:9] for text in said] == ["epoch 1/1"] and "afresh" in capsys.readouterr().out


def test_the_card_says_how_to_make_it_again(trained):
    """Guards against weights that nobody can reproduce."""
    command = trained[1]["command"].split()
    assert command[:3] == ["scripts/pretrain", "--out", "DIR"]
    options = vars(module.parser().parse_args(command[1:]))
    assert tuple(options.pop("override")) == TINY
    options.pop("out")
    assert Pretraining(**options) == HOW


@pytest.mark.parametrize("name", ["epochs", "planets", "replay", "batch_size"])
def test_out_of_range_is_named(name, capsys, tmp_path):
    """Guards against a ZeroDivisionError after the planets to judge by were drawn."""
    with pytest.raises(ConfigError, match=name.replace("_", "-")):
        Pretraining(**{name: 0})
    assert main(["--out", str(tmp_path), f"--{name.replace('_', '-')}", "0"]) == 1
    assert capsys.readouterr().err.startswith("error: out of range")


def test_help_names_every_option(capsys):
    """Guards against an option that can be set and that nobody is told of."""
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and "train.start" in text
    assert all(f"--{name.replace('_', '-')}" in text for name in vars(Pretraining()))
