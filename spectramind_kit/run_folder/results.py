"""Read what a run left in its folder; whatever is absent is ``None`` or empty, never an error.

A run's folder is described in ``README.md``: predictions of the train planets out of fold (``oof.npz``) and
of the test planets (``test.npz``), one JSON object a line in ``metrics.jsonl``, ``run.json``, the store of
light curves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.predictions import Predictions, read_predictions, read_truth
from spectramind_kit.runtime import say


@dataclass(frozen=True)
class RunResults:
    """Everything that a run's folder holds for diagnostics.

    ``oof`` has labels; ``test`` has ``depth`` only where a truth was given. ``notes`` tells what is missing
    and why, ``stale`` which results do not belong together.
    """

    work_dir: Path
    earlier: tuple[Path, ...] = ()
    oof: Predictions | None = None
    test: Predictions | None = None
    events: tuple[dict, ...] = ()
    info: Mapping = field(default_factory=dict)
    data_dir: Path | None = None
    metric: Metric = field(default_factory=Metric)
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def naive_mean(self) -> float:  # until diagnostics has moved to `metric`
        return self.metric.mean

    @property
    def naive_sigma(self) -> float:
        return self.metric.sigma

    @property
    def figures_dir(self) -> Path:
        return self.work_dir / "figures"

    @property
    def diagnostics_dir(self) -> Path:
        return self.work_dir / "diagnostics"

    def find(self, relative: str) -> Path | None:
        """An existing file of this run or of an earlier kernel's, or None."""
        return next(
            (p for p in (folder / relative for folder in (self.work_dir, *self.earlier)) if p.exists()), None
        )

    def glob(self, pattern: str) -> list[Path]:
        """Files by pattern, of this run and of the earlier kernels'."""
        return [path for folder in (self.work_dir, *self.earlier) for path in folder.glob(pattern)]

    @cached_property
    def settings_folders(self) -> dict[str, str]:
        """Names of the folders of ``store/`` and ``anchor/`` with the bundle's settings; empty without a
        bundle that says so."""
        from spectramind_kit.configs import config_digest
        from spectramind_kit.detector.settings import DetectorSettings

        path = self.find("bundle/bundle.json")
        config = _read_json(path, []).get("config") if path else None
        try:
            return {
                "store": DetectorSettings.from_mapping(config["data"]).digest,
                "anchor": config_digest(config["data"], config["anchor"]),
            }
        except (TypeError, KeyError, DataError):
            return {}

    def of_kind(self, kind: str) -> list[dict]:
        """The events of ``metrics.jsonl`` of one kind, in the order they were written."""
        return [event for event in self.events if event.get("event") == kind]

    @cached_property
    def judged(self) -> dict[str, Predictions]:
        """The sets whose depths are known, by a name for legends; planets without a finite depth are left
        out."""
        sets = {"test, against truth": self.test, "train, out of fold": self.oof}
        known = {}
        for name, predictions in sets.items():
            if predictions is not None and predictions.depth is not None:
                rows = np.isfinite(predictions.depth).all(axis=1) & np.isfinite(predictions.depth_mean).all(
                    axis=1
                )
                if rows.any():
                    known[name] = predictions.only(rows)
        return known

    @cached_property
    def star(self):
        """Star table of all planets, DataFrame indexed by planet_id; None without the data folder."""
        if self.data_dir is None:
            return None
        import pandas as pd

        from spectramind_kit.detector.layout import read_star_info

        tables = []
        for split in ("train", "test"):
            try:
                tables.append(read_star_info(self.data_dir, split))
            except (DataError, OSError):
                continue
        return pd.concat(tables)[lambda table: ~table.index.duplicated()] if tables else None


def open_run(
    work_dir: str | Path,
    *,
    truth: str | Path | None = None,
    data_dir: str | Path | None = None,
    earlier: Sequence[str | Path] = (),
) -> RunResults:
    """Read a run's folder.

    Parameters
    ----------
    work_dir : the folder that the notebooks wrote to
    truth : CSV of the test planets' depths (planet_id, wl_1..wl_283), if there is one
    data_dir : the competition's folder (for the star tables); read from ``run.json`` when not given
    earlier : folders of the kernels before this one, searched for what ``work_dir`` lacks (on Kaggle they are
    mounted)

    Raises
    ------
    DataError
        The folder does not exist, or a file in it is there but cannot be read.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise DataError(
            "the run's folder does not exist", where=str(work_dir), fix="run the notebooks 01 to 03 first"
        )
    notes: list[str] = []
    folders = (work_dir, *map(Path, earlier))
    info = _read_json(_first(folders, "run.json"), notes)
    oof = read_predictions(_first(folders, "predictions/oof.npz"), notes)
    test = read_predictions(_first(folders, "predictions/test.npz"), notes)
    if truth and test is not None:
        test = replace(test, depth=read_truth(test, Path(truth)))
    data_dir = Path(data_dir) if data_dir else _data_dir_of(info)
    metric = _metric(info, oof)
    events = _of_this_training(
        _read_events(_first(folders, "metrics.jsonl"), notes), _first(folders, "bundle/bundle.json")
    )
    stale = _stale(folders)
    for text in stale:
        say(text)
    return RunResults(
        work_dir=work_dir,
        earlier=folders[1:],
        oof=oof,
        test=test,
        info=info,
        data_dir=data_dir,
        events=events,
        metric=metric,
        stale=tuple(stale),
        notes=(*notes, *stale),
        fingerprint=_fingerprint(folders, truth, events=events, metric=metric),
    )


def _first(folders: Sequence[Path], relative: str) -> Path:
    return next(
        (folder / relative for folder in folders if (folder / relative).is_file()), folders[0] / relative
    )


def _read_json(path: Path, notes: list[str]) -> dict:
    if not path.is_file():
        notes.append(f"no {path.name}")
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        notes.append(f"{path.name} is not JSON: {error}")
        return {}


def _read_events(path: Path, notes: list[str]) -> tuple[dict, ...]:
    if not path.is_file():
        notes.append(f"no {path.name}: no learning curve, no timings")
        return ()
    events, broken = [], 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:
            broken += 1  # a run cut off in the middle of a line must still be readable
            continue
        if isinstance(event, dict):
            events.append(event)
    if broken:
        notes.append(f"{broken} lines of {path.name} are not JSON and were skipped")
    return tuple(events)


def _data_dir_of(info: Mapping) -> Path | None:
    for level in (info, info.get("parameters") or {}, info.get("config") or {}):
        value = level.get("data_dir") if isinstance(level, Mapping) else None
        if value and Path(str(value)).is_dir():
            return Path(str(value))
    return None


def _metric(info: Mapping, oof: Predictions | None) -> Metric:
    """With the naive statistics that the run used, else those of its labels, else the official ones."""
    known = info.get("naive")
    if isinstance(known, Mapping) and {"naive_mean", "naive_sigma"} <= set(known):
        return Metric(float(known["naive_mean"]), float(known["naive_sigma"]))
    return Metric() if oof is None or oof.depth is None else Metric.of(oof.depth)


def _of_this_training(events: tuple[dict, ...], bundle: Path) -> tuple[dict, ...]:
    """Without the epochs of trainings whose weights are not in the bundle: the log keeps those of every
    training."""
    if not bundle.is_file():
        return events
    digest = _read_json(bundle, []).get("digest", "")
    return tuple(
        event for event in events if event.get("event") != "epoch" or event.get("training", digest) == digest
    )


def _stale(folders: Sequence[Path]) -> list[str]:
    """Results that do not belong together, in words."""
    from spectramind_kit.run_folder.provenance import predictions_doubts, submission_differs

    bundle = _first(folders, "bundle/bundle.json")
    found = [
        text
        for name in ("oof", "test")
        for text in predictions_doubts(_first(folders, f"predictions/{name}.npz"), bundle)
    ]
    submission, test = _first(folders, "submission.csv"), _first(folders, "predictions/test.npz")
    if submission.is_file() and test.is_file():
        differs = submission_differs(submission, test)
        if differs:
            found.append(
                "submission.csv is not what predictions/test.npz holds, which is shown here: "
                f"{differs}. Run 03_submit again"
            )
    return found


def _fingerprint(
    folders: Sequence[Path], truth: str | Path | None, *, events: Sequence[Mapping], metric: Metric
) -> str:
    """Of the results that the figures show and of the truth's content, so that a figure of an older run is
    recognised."""
    files = ("predictions/oof.npz", "predictions/test.npz", "bundle/bundle.json", "submission.csv")
    paths = {name: _first(folders, name) for name in files} | ({"truth": Path(truth)} if truth else {})
    content = {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items() if path.is_file()
    }
    epochs = [json.dumps(event, sort_keys=True) for event in events if event.get("event") == "epoch"]
    return fingerprint(content, epochs, [metric.mean, metric.sigma])
