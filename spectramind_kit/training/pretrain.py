"""``python -m spectramind_kit.training.pretrain``: the direct prediction, trained on simulated planets.

What scripts/pretrain calls. Fresh shards of planets are drawn by worker processes while the network learns
from the last few; every epoch is logged and kept, and the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectramind_kit.configs import load_config
from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.metric import Metric
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.logbook import Logbook
from spectramind_kit.runtime import probe_device, say
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.evaluation import HeldOut, evaluate_rows
from spectramind_kit.training.fold_state import FoldState
from spectramind_kit.training.loop import train_epoch
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.precision import Precision
from spectramind_kit.training.pretrained import RECIPE, network_config, save_pretrained
from spectramind_kit.training.settings import TrainSettings
from spectramind_kit.training.simulated_shards import Shards
from spectramind_kit.training.simulated_visits import WORLD_SHARES, simulated_visits

JUDGED_SHARD = 10**6  # far from those that are trained on
_JUDGED_PLANETS = 400
MEAN_PULL_LIMIT = 0.1  # of the robust error with which the mean is learned first, in reference errors


@dataclass(frozen=True)
class Pretraining:
    """How long, on how many planets."""

    epochs: int = 60
    planets: int = 1000  # fresh ones per epoch
    replay: int = 4  # epochs in which a shard is read
    seed: int = 1
    learning_rate: float = 3e-3
    batch_size: int = 32
    mean_first: float = 0.3  # share of the epochs in which the mean is learned alone
    workers: int = 0  # 0: all cores but one

    def __post_init__(self) -> None:
        for name in ("epochs", "planets", "replay", "batch_size"):
            if getattr(self, name) < 1:
                where, found = f"--{name.replace('_', '-')}", str(getattr(self, name))
                raise ConfigError("out of range", where=where, expected="1 or more", found=found)


def pretrain(
    out: Path,
    *,
    how: Pretraining = Pretraining(),
    overrides: tuple[str, ...] = (),
    tell: Callable[[str], None] = say,
) -> dict[str, Any]:
    """Train, write ``direct.pt`` with its card ``direct.json`` into ``out``, and return the card.

    ``out/metrics.jsonl`` has a record per epoch, ``out/state.pt`` is what an interrupted training goes on
    from. Raises ConfigError or DataError.
    """
    started = time.monotonic()
    config = load_config(overrides=["model/decoder=both", "model/size=shipped", *overrides])
    device = probe_device(config.train.device)
    torch.set_num_threads(max(1, int(config.train.num_threads)))
    changes = {"epochs": how.epochs, "learning_rate": how.learning_rate, "batch_size": how.batch_size}
    settings = replace(TrainSettings(**config.train), **changes)
    loss_config = to_plain(config.loss) | _mean_first(how)
    judged = _judged(how.seed)
    torch.manual_seed(how.seed)
    model = build_model(config.model, **judged.dataset.features).to(device.name)
    steps = -(-how.planets * how.replay // how.batch_size)
    precision = Precision.of(device, settings.amp)
    state = FoldState(model, settings=settings, precision=precision, steps_per_epoch=steps)
    own = {k: v for k, v in vars(how).items() if k != "workers"}
    known = {name: value for name, value in vars(settings).items() if name not in ("device", "num_threads")}
    digest = fingerprint(network_config(config.model), loss_config, own, known, WORLD_SHARES, RECIPE)
    state.resume(out / "state.pt", digest=digest)
    loss = instantiate(loss_config, where="loss", given={"metric": judged.metric})
    log = Logbook(out / "metrics.jsonl", stage="pretrain").write
    scores: dict[str, float] = {}
    drawn = Shards(how.planets, seed=how.seed, replay=how.replay, normaliser=judged.dataset.normaliser)
    with drawn.epochs(state.epoch, how.epochs, workers=how.workers) as shards:
        while not state.finished:
            start = time.monotonic()
            means = _one_epoch(state, loss, next(shards), how)
            state.epoch += 1
            scores = _scores(state, judged)
            seconds = round(time.monotonic() - start, 1)
            log("epoch", epoch=state.epoch, seconds=seconds, **scores, **means, training=digest)
            state.save(out / "state.pt", digest=digest)
            total = means["loss_terms"].get("total", float("nan"))
            tell(f"epoch {state.epoch}/{how.epochs}: loss {total:.3f}, {_in_words(scores)}, {seconds:.0f} s")
    card = {
        "config": network_config(config.model),
        "data": {**own, "worlds": dict(WORLD_SHARES)},
        "scores": scores or _scores(state, judged),
        "hours_of_the_last_start": round((time.monotonic() - started) / 3600.0, 2),
        "parameters": model.n_parameters()["total"],
        "command": _command(how, overrides),
    }
    save_pretrained(
        out / "direct.pt",
        state.average.state,
        normaliser=judged.dataset.normaliser,
        wavelength_um=judged.dataset.wavelength_um.numpy(),
        card=card,
    )
    return card


def _mean_first(how: Pretraining) -> dict[str, float]:
    return {"mean_first": how.mean_first * how.epochs, "mean_pull_limit": MEAN_PULL_LIMIT}


def _command(how: Pretraining, overrides: tuple[str, ...]) -> str:
    plain = Pretraining()
    changed = {k: v for k, v in vars(how).items() if v != getattr(plain, k) and k != "workers"}
    options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in changed.items())
    return "scripts/pretrain --out DIR" + options + "".join(f" -o {text}" for text in overrides)


def _judged(seed: int) -> HeldOut:
    """Planets of all worlds that are never trained on; their features are also what normalises."""
    rows, labels = simulated_visits(_JUDGED_PLANETS, seed=seed, shard=JUDGED_SHARD, changed=False)
    dataset = VisitDataset(rows, normaliser=Normaliser.fit(rows), depth=labels)
    metric = Metric.of(np.array(list(labels.values())))
    return HeldOut(dataset, np.arange(len(dataset)), metric)


def _one_epoch(
    state: FoldState, loss: torch.nn.Module, shards: list[VisitDataset], how: Pretraining
) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng((how.seed, state.epoch + 1))
    batches = [
        (dataset, rows)
        for dataset in shards
        for rows in dataset.batches(np.arange(len(dataset)), size=how.batch_size, rng=rng)
    ]
    order = rng.permutation(len(batches))
    return train_epoch(state, loss, (batches[k] for k in order), rng=rng)


def _scores(state: FoldState, judged: HeldOut) -> dict[str, float]:
    """Official score, not clipped, and median errors in ppm: of the level, of FGS1, of the shape."""
    found = evaluate_rows(
        state.averaged(), judged.dataset, judged.rows, precision=state.precision, flip_average=True
    )
    scores = judged.planet_scores(found["depth_mean"], found["depth_sigma"])
    depth = judged.dataset.tensors["depth"][judged.rows].numpy()
    error = 1e6 * (found["depth_mean"] - depth)
    level = error[:, 1:].mean(1, keepdims=True)
    return {
        "score": float(scores.mean()),
        "level_error_ppm": float(np.median(np.abs(level))),
        "fgs1_error_ppm": float(np.median(np.abs(error[:, 0]))),
        "shape_error_ppm": float(np.median(np.abs(error[:, 1:] - level))),
    }


def _in_words(scores: Mapping[str, float]) -> str:
    level, fgs1, shape = (scores[f"{name}_error_ppm"] for name in ("level", "fgs1", "shape"))
    errors = f"level {level:.0f}, FGS1 {fgs1:.0f}, shape {shape:.0f} ppm"
    return f"score {scores['score']:.4f}, median errors of {errors}"


def parser() -> argparse.ArgumentParser:
    """The command line of scripts/pretrain."""
    options = argparse.ArgumentParser(
        prog="scripts/pretrain",
        description="Train the direct prediction (light curves -> spectrum) on simulated planets. DIR gets "
        "direct.pt and its card direct.json, which train.start=DIR/direct.pt begins a training with; "
        "metrics.jsonl tells how it went. The same command goes on after an interruption.",
    )
    plain, add = Pretraining(), options.add_argument
    add("--out", required=True, type=Path, metavar="DIR", help="folder to write to")
    helps = {
        "epochs": "how often a shard is added and the last ones are read",
        "planets": "fresh simulated planets per epoch",
        "replay": "epochs in which a shard is read",
        "seed": "of weights, planets and order",
        "learning_rate": "at its highest",
        "batch_size": "visits",
        "mean_first": "share of the epochs in which the mean is learned alone",
        "workers": "processes that simulate; 0: all cores but one",
    }
    for name, text in helps.items():
        value = getattr(plain, name)
        flag = f"--{name.replace('_', '-')}"
        add(flag, type=type(value), default=value, help=f"{text} (default %(default)s)")
    add("-o", "--override", action="append", default=[], metavar="KEY=VALUE", help="of the configuration")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 after an error that the user can mend."""
    chosen = vars(parser().parse_args(arguments))
    out, overrides = chosen.pop("out"), tuple(chosen.pop("override"))
    try:
        pretrain(out, how=Pretraining(**chosen), overrides=overrides)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"written: {(out / 'direct.pt').resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
