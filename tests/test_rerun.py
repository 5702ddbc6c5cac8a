"""The simulated rerun of `03_submit`: whatever Kaggle swaps in, a valid `submission.csv` comes out.

Two kernels run first, as on Kaggle, each in a session of its own: 01_light_curves and 02_train on a small
simulated competition. Then 03_submit runs with their output attached, from the staged dataset alone.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.kaggle_session import COMPETITION, ROOT, Outcome, attach, run_kernel, snapshot

pytestmark = pytest.mark.slow
NOTEBOOKS = ROOT / "notebooks"
TRAIN, HIDDEN, SIMULATED_HIDDEN, PARTLY_BROKEN = 12, 40, 10, 12
SMALL = ["train.folds=2", "train.epochs=2", "train.warm_start_epochs=1", "model/size=small"]


@dataclass(frozen=True)
class Stage:
    """What is on Kaggle before the submission: the competition as it is while editing (one test planet) and
    at the rerun, the staged dataset, and the outputs of the two kernels."""

    editing: Path
    hidden: Path
    hidden_ids: list[int]
    dataset: Path
    light_curves: Path
    train: Path


def copy_planet(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)


def swap_test_folder(editing: Path, hidden: Path, *, planets: dict[int, Path], stars: pd.DataFrame) -> Path:
    """The competition at the rerun: hidden planets in the test folder and the star table (float ids, as the
    host writes them); ``sample_submission.csv`` stays the stale one of the editing session."""
    shutil.copytree(
        editing, hidden, copy_function=os.link, ignore=shutil.ignore_patterns("test", "test_star_info.csv")
    )
    (hidden / "test").mkdir()
    for planet_id, source in planets.items():
        copy_planet(source, hidden / "test" / str(planet_id))
    stars.assign(planet_id=stars["planet_id"].astype(float)).to_csv(
        hidden / "test_star_info.csv", index=False
    )
    return hidden


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Stage:
    from scripts.kaggle_release.stage import build_kit_wheel
    from spectramind_kit.simulator import simulate_competition

    root = tmp_path_factory.mktemp("rerun")
    simulated = simulate_competition(
        root / "simulated", n_train=TRAIN, n_test=1 + SIMULATED_HIDDEN, seed=11, cadence="reduced", jobs=1
    )
    visible, *others = sorted(simulated.test_ids)
    stars = pd.read_csv(simulated.data_dir / "test_star_info.csv")
    stars["planet_id"] = stars["planet_id"].astype(float).astype(int)
    planets, rows = {}, []
    for number in range(HIDDEN):  # each simulated planet stands for four hidden ones
        source = others[number % len(others)]
        planets[1_000_003 + 7919 * number] = simulated.data_dir / "test" / str(source)
        rows.append(stars[stars["planet_id"] == source].assign(planet_id=1_000_003 + 7919 * number))
    hidden = swap_test_folder(
        simulated.data_dir, root / "hidden" / COMPETITION, planets=planets, stars=pd.concat(rows)
    )
    editing = root / "editing" / COMPETITION
    shutil.copytree(
        simulated.data_dir,
        editing,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("test", "test_star_info.csv", "sample_submission.csv"),
    )
    (editing / "test").mkdir()
    copy_planet(simulated.data_dir / "test" / str(visible), editing / "test" / str(visible))
    stars[stars["planet_id"] == visible].assign(planet_id=float(visible)).to_csv(
        editing / "test_star_info.csv", index=False
    )
    sample = pd.read_csv(simulated.data_dir / "sample_submission.csv").iloc[:1].assign(planet_id=visible)
    for folder in (editing, hidden):  # a hard link is replaced, not written through
        (folder / "sample_submission.csv").unlink(missing_ok=True)
        sample.to_csv(folder / "sample_submission.csv", index=False)

    dataset = root / "dataset"
    dataset.mkdir()
    build_kit_wheel(dataset)
    inputs = attach(root / "input1", layout="flat", competition=editing, dataset=dataset)
    first = run_kernel(NOTEBOOKS / "01_light_curves.ipynb", root / "kernel1", inputs=inputs, rerun=False)
    assert first.exit_code == 0 and not first.breaches, f"{first.breaches}\n{first.text[-4000:]}"
    inputs = attach(
        root / "input2",
        layout="nested",
        competition=editing,
        dataset=dataset,
        kernels={"spectramind-light-curves": first.working},
    )
    second = run_kernel(
        NOTEBOOKS / "02_train.ipynb", root / "kernel2", inputs=inputs, rerun=False, overrides=SMALL
    )
    assert second.exit_code == 0 and not second.breaches, f"{second.breaches}\n{second.text[-4000:]}"
    return Stage(editing, hidden, sorted(planets), dataset, first.working, second.working)


def submit(
    stage: Stage,
    folder: Path,
    *,
    layout: str = "flat",
    competition: Path | None = None,
    rerun: bool = True,
    train: Path | None = None,
    with_train: bool = True,
    **parameters,
) -> Outcome:
    """Run 03_submit in a session; nothing attached may change and no rule may be broken."""
    kernels = {"spectramind-train": train or stage.train} if with_train else {}
    inputs = attach(
        folder / "input",
        layout=layout,
        competition=competition or stage.hidden,
        dataset=stage.dataset,
        kernels=kernels,
    )
    before = snapshot(inputs)
    outcome = run_kernel(
        NOTEBOOKS / "03_submit.ipynb", folder / "session", inputs=inputs, rerun=rerun, **parameters
    )
    assert outcome.exit_code == 0, outcome.text[-6000:]
    assert not outcome.breaches and snapshot(inputs) == before
    return outcome


def check_submission(outcome: Outcome, planet_ids: list[int]) -> pd.DataFrame:
    """What Kaggle's scorer demands, checked without the kit: columns, rows, numbers."""
    frame = pd.read_csv(outcome.submission)
    assert list(frame.columns) == [
        "planet_id",
        *(f"wl_{k}" for k in range(1, 284)),
        *(f"sigma_{k}" for k in range(1, 284)),
    ]
    assert np.issubdtype(frame["planet_id"].dtype, np.integer)
    assert sorted(frame["planet_id"]) == sorted(planet_ids) and frame["planet_id"].is_unique
    values = frame.drop(columns="planet_id").to_numpy(float)
    assert np.isfinite(values).all() and (values[:, :283] >= 0).all() and (values[:, 283:] > 0).all()
    return frame


def sources(outcome: Outcome) -> dict[str, int]:
    return outcome.record["stages"]["submit"]["sources"]


def test_the_light_curves_of_the_first_kernel_are_used_by_the_second(stage):
    """Guards against hours of raw frames read twice, because the second kernel did not find the store of the
    first."""
    events = [json.loads(line) for line in (stage.train / "metrics.jsonl").read_text().splitlines()]
    (event,) = [
        event for event in events if event.get("event") == "light_curves" and event["split"] == "train"
    ]
    assert event["from_earlier_kernels"] >= TRAIN and event["done"] == 0


@pytest.mark.parametrize("layout", ["flat", "nested"])
def test_the_editing_session_writes_its_one_planet(stage, tmp_path, layout):
    """Guards against a notebook that only works at the rerun: it has to run before it can be submitted."""
    outcome = submit(stage, tmp_path, layout=layout, competition=stage.editing, rerun=False)
    check_submission(outcome, [int(path.name) for path in (stage.editing / "test").iterdir()])
    assert outcome.record["environment"]["place"] == "kaggle"


def test_the_rerun_predicts_the_hidden_planets(stage, tmp_path):
    """Guards against rows from the stale sample_submission.csv, float ids in paths, and a bundle that is not
    found."""
    outcome = submit(stage, tmp_path, layout="flat", gpu=False)
    frame = check_submission(outcome, stage.hidden_ids)
    assert outcome.record["environment"]["place"] == "kaggle-rerun"
    found = sources(outcome)
    assert sum(found.values()) == HIDDEN and set(found) <= {"network", "anchor", "both"}, found
    assert "CPU" in json.dumps(outcome.record["backends"]), "no GPU: said, and worked without"
    depths = frame.set_index("planet_id").filter(like="wl_").mean(axis=1)
    twins = [depths[stage.hidden_ids[k]] for k in (0, SIMULATED_HIDDEN)]
    assert twins[0] == pytest.approx(twins[1], rel=1e-6), (
        "the same frames under another id give the same depth"
    )
    assert depths.std() > 1e-4, "planets differ"


def break_planets(stage: Stage, target: Path) -> tuple[Path, dict[int, str]]:
    """A part of the rerun's competition, with five planets broken in different ways."""
    kept = {str(planet_id) for planet_id in stage.hidden_ids[:PARTLY_BROKEN]}
    shutil.copytree(
        stage.hidden,
        target,
        copy_function=os.link,
        ignore=lambda folder, names: set(names) - kept if Path(folder).name == "test" else set(),
    )
    broken = dict(
        zip(
            stage.hidden_ids[:5],
            ("no calibration", "cut file", "empty folder", "not in the star table", "zero frames"),
            strict=True,
        )
    )
    planet = {what: target / "test" / str(planet_id) for planet_id, what in broken.items()}
    shutil.rmtree(planet["no calibration"] / "AIRS-CH0_calibration_0")
    signal = planet["cut file"] / "FGS1_signal_0.parquet"
    content = signal.read_bytes()[:2000]
    signal.unlink()
    signal.write_bytes(content)
    for path in planet["empty folder"].iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stars = pd.read_csv(target / "test_star_info.csv")
    (target / "test_star_info.csv").unlink()
    lost = next(planet_id for planet_id, what in broken.items() if what == "not in the star table")
    stars[stars["planet_id"].astype(int) != lost].to_csv(target / "test_star_info.csv", index=False)
    for signal in planet["zero frames"].glob("*_signal_*.parquet"):
        frames = pd.read_parquet(signal)
        signal.unlink()
        (frames * 0).to_parquet(signal)
    return target, broken


def test_broken_planets_cost_themselves_alone(stage, tmp_path):
    """Guards against one odd hidden planet that zeroes the score: the others keep their prediction, the
    reason is on record."""
    competition, broken = break_planets(stage, tmp_path / "broken" / COMPETITION)
    outcome = submit(stage, tmp_path, layout="nested", competition=competition)
    frame = check_submission(outcome, stage.hidden_ids[:PARTLY_BROKEN]).set_index("planet_id")
    found = sources(outcome)
    assert sum(found.get(name, 0) for name in ("network", "anchor", "both")) >= PARTLY_BROKEN - len(broken), (
        found
    )
    text = json.dumps(outcome.record["stages"]["submit"])
    for planet_id, what in broken.items():
        if what in ("no calibration", "cut file", "empty folder"):
            assert str(planet_id) in text, f"{what}: no reason in run.json"
    assert frame.loc[list(broken), "sigma_10"].min() > 0


def test_a_far_too_small_budget_still_ends_with_a_submission(stage, tmp_path):
    """Guards against the nine-hour limit found out at hour nine."""
    outcome = submit(stage, tmp_path, budget_hours=0.0005)
    check_submission(outcome, stage.hidden_ids)
    assert not {"network", "both"} & set(sources(outcome))


def test_a_small_budget_leaves_out_the_dearest_part_first(stage, tmp_path):
    """Guards against a budget that gives up everything where it could keep the light curves and some
    anchors."""
    outcome = submit(stage, tmp_path, budget_hours=40 / 3600)
    check_submission(outcome, stage.hidden_ids)
    found = sources(outcome)
    assert found.get("network", 0) + found.get("both", 0) < HIDDEN, found
    assert found.get("flat depth", 0) + found.get("anchor", 0) > 0, found


@pytest.mark.parametrize("damage", ["not attached", "no json", "weights missing", "prior cut"])
def test_a_missing_or_broken_bundle_still_ends_with_a_submission(stage, tmp_path, damage):
    """Guards against a training output that was not attached, or was damaged on its way: without its weights
    the anchor stands, without all of it the network as it comes with the kit."""
    train = tmp_path / "train"
    shutil.copytree(stage.train, train, ignore=shutil.ignore_patterns("store", "anchor", "train"))
    bundle = train / "bundle"
    if damage == "no json":
        (bundle / "bundle.json").write_text("{")
    elif damage == "weights missing":
        next(bundle.glob("fold_*.pt")).unlink()
    elif damage == "prior cut":
        (bundle / "prior.npz").write_bytes((bundle / "prior.npz").read_bytes()[:100])
    outcome = submit(
        stage, tmp_path, competition=stage.editing, train=train, with_train=damage != "not attached"
    )
    check_submission(outcome, [int(path.name) for path in (stage.editing / "test").iterdir()])
    best = "anchor" if damage == "weights missing" else "network"
    assert set(sources(outcome)) <= {"flat depth", best}, sources(outcome)
    assert best in sources(outcome), sources(outcome)
