"""Train the folds of a run, decide on unseen planets how far to trust them, and pack what inference needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.fingerprint import fingerprint, what_changed
from spectramind_kit.metric import Metric
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.runtime import cpu_count, say
from spectramind_kit.training.anchors import CrossFittedAnchors, Measured
from spectramind_kit.training.dataset import Normaliser, VisitDataset, visit_row
from spectramind_kit.training.evaluation import combine_visits, evaluate_rows
from spectramind_kit.training.labels import Labels
from spectramind_kit.training.loop import FoldResult, TrainSettings, amp_context, train_fold

if TYPE_CHECKING:
    import pandas as pd

    from spectramind_kit.detector import LightCurve
    from spectramind_kit.transit import Anchor


@dataclass(frozen=True)
class Network:
    """The trained folds and their out-of-fold predictions, one row per planet in the order of
    ``planet_ids``."""

    folds: tuple[FoldResult, ...]
    normaliser: Normaliser
    planet_ids: np.ndarray
    predicted: dict[str, np.ndarray]
    digest: str


def planet_rows(
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measured: Measured,
    anchors: Mapping[int, Anchor],
    stars: pd.DataFrame,
) -> list[dict]:
    """One row per visit of every planet that has an anchor; see `training.dataset` for what a row holds."""
    rows = []
    for planet, anchor in anchors.items():
        star = stars.loc[planet].to_dict() if planet in stars.index else {}
        fitted = {visit.visit for visit in measured.measurements[planet].visits}
        rows += [
            visit_row(visit, measured.measurements[planet], anchor, star=star)
            for visit in light_curves[planet]
            if visit.visit in fitted
        ]
    return rows


def set_threads(run: RunFolder) -> None:
    """Torch threads as configured; see ``configs/train``."""
    torch.set_num_threads(int(run.config.train.num_threads) or cpu_count())


def train_folds(
    run: RunFolder,
    light_curves: Mapping[int, Sequence[LightCurve]],
    *,
    measured: Measured,
    anchors: CrossFittedAnchors,
    labels: Labels,
    stars: pd.DataFrame,
) -> Network | None:
    """Train one network per fold on the other folds' planets; None where the configuration asks for the
    anchor alone.

    A fold that has no time left is left out; with no fold trained the result is None and the anchor stands.
    """
    if not run.config.model.use_network:
        say("model=anchor: no network is trained")
        return None
    settings = TrainSettings(**run.config.train)
    device = run.device()
    set_threads(run)
    rows = planet_rows(light_curves, measured=measured, anchors=anchors.out_of_fold, stars=stars)
    normaliser = Normaliser.fit(rows)
    dataset = VisitDataset(
        rows, normaliser=normaliser, depth=dict(zip(labels.planet_ids.tolist(), labels.depth))
    )
    digest = fingerprint(dict(anchors.made_from))
    _claim(run.root / "train" / digest, anchors.made_from)
    results: list[FoldResult] = []
    predicted: dict[str, np.ndarray] = {}
    for fold in range(settings.folds):
        inside = anchors.planet_ids[anchors.fold == fold]
        if run.budget.left_s <= 0:
            say(f"fold {fold} is left out: the time budget is used up")
            continue
        torch.manual_seed(run.seed + fold)
        model = build_model(
            run.config.model,
            bin_features=dataset.tensors["bins"].shape[-1],
            star_features=dataset.tensors["star"].shape[-1],
        )
        if not results:
            run.record(parameters=model.n_parameters())
        held_out = dataset.rows_of(inside)
        with run.step(f"train fold {fold}"):
            result = train_fold(
                model,
                instantiate(
                    to_plain(run.config.loss),
                    where="loss",
                    given={"metric": Metric(labels.naive["naive_mean"], labels.naive["naive_sigma"])},
                ),
                dataset=dataset,
                fold=fold,
                settings=settings,
                device=device,
                train_rows=dataset.rows_of(anchors.planet_ids[anchors.fold != fold]),
                held_out_rows=held_out,
                seed=run.seed,
                naive=labels.naive,
                checkpoint=run.root / "train" / digest / f"fold_{fold}.pt",
                digest=digest,
                log=run.log,
                budget=run.budget,
            )
        for name, choice in model.backends().items():
            run.backend(name, choice)
        say(f"fold {fold}: held-out score {result.held_out_score:.4f}, its anchor {result.anchor_score:.4f}")
        model.load_state_dict(result.state)
        autocast, _ = amp_context(device, settings.amp)
        found = evaluate_rows(
            model.to(device.name),
            dataset,
            held_out,
            device=device.name,
            autocast=autocast,
            flip_average=settings.time_flip,
        )
        _scatter_planets(predicted, anchors.planet_ids, dataset.planet_id[held_out], found)
        results.append(result)
    if len(results) < settings.folds:
        return None if not results else _unfinished(results, settings)
    return Network(tuple(results), normaliser, anchors.planet_ids, predicted, digest)


def _claim(folder: Path, made_from: Mapping[str, str]) -> None:
    """Checkpoints of one set of inputs share a folder; where the last training had other inputs, say
    which."""
    others = sorted(folder.parent.glob("*/made_from.json"), key=lambda path: path.stat().st_mtime)
    if not folder.is_dir() and others:
        changed = ", ".join(what_changed(read_json(others[-1]), made_from))
        say(
            "the folds are trained afresh, their inputs are not those of the last training: "
            f"{changed} changed"
        )
    write_json(folder / "made_from.json", dict(made_from))


def _unfinished(results: Sequence[FoldResult], settings: TrainSettings) -> None:
    """Without an out-of-fold prediction for every planet nothing tells how far to trust the folds that are
    done."""
    say(
        f"{len(results)} of {settings.folds} folds are trained; the anchor stands until the others are. "
        "Start again to go on."
    )
    return


def _scatter_planets(
    into: dict[str, np.ndarray],
    planet_ids: np.ndarray,
    row_planets: np.ndarray,
    found: Mapping[str, np.ndarray],
) -> None:
    """Put the rows of one fold's visits into arrays over all planets, visits combined."""
    planets, mean, sigma = combine_visits(row_planets, found["depth_mean"], found["depth_sigma"])
    position = {int(p): k for k, p in enumerate(planet_ids)}
    target = [position[int(p)] for p in planets]
    values = {"depth_mean": mean, "depth_sigma": sigma}
    for name in ("fused", "fgs1_embedding", "airs_embedding"):
        values[name] = np.stack([found[name][row_planets == p].mean(0) for p in planets])
    for name, value in values.items():
        into.setdefault(name, np.full((len(planet_ids), value.shape[1]), np.nan))[target] = value
