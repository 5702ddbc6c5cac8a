"""Read what a run left in its folder; whatever is absent is ``None`` or empty, never an error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.metric import Metric
from spectramind_kit.run_folder.files import BUNDLE, LOG, OUT_OF_FOLD, RUN_JSON, SUBMISSION, TEST, RunFiles
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.run_folder.logbook import read_logbook
from spectramind_kit.run_folder.predictions import Predictions, read_predictions, read_truth
from spectramind_kit.run_folder.provenance import predictions_doubts, submission_differs
from spectramind_kit.runtime import say

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunResults(RunFiles):
    """Everything that a run's folder holds for diagnostics."""

    root: Path
    earlier: tuple[Path, ...] = ()
    oof: Predictions | None = None  # train planets out of fold, with labels
    test: Predictions | None = None  # ``depth`` only where a truth was given
    events: tuple[dict, ...] = ()  # of ``metrics.jsonl``
    info: Mapping[str, Any] = field(default_factory=dict)  # ``run.json``
    data_dir: Path | None = None
    metric: Metric = field(default_factory=Metric)
    fingerprint: str = ""  # of what the figures show
    notes: tuple[str, ...] = ()  # what is missing, and why
    stale: tuple[str, ...] = ()  # which results do not belong together

    @property
    def diagnostics_dir(self) -> Path:
        return self.root / "diagnostics"

    @cached_property
    def settings_folders(self) -> dict[str, str]:
        """Folders of ``store/`` and ``anchor/`` with the bundle's settings; empty where none are known."""
        from spectramind_kit.configs import config_digest
        from spectramind_kit.detector.settings import DetectorSettings

        config = read_json(self.bundle_json).get("config")
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
        """The sets whose depths are known, by a name for legends; without planets that have no finite one."""
        known = {}
        for name, found in {"test, against truth": self.test, "train, out of fold": self.oof}.items():
            if found is not None and found.depth is not None:
                rows = (np.isfinite(found.depth) & np.isfinite(found.depth_mean)).all(axis=1)
                if rows.any():
                    known[name] = found.only(rows)
        return known

    @cached_property
    def star(self) -> pd.DataFrame | None:
        """Star table of all planets, indexed by planet_id; None without the data folder."""
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
    earlier : folders of the kernels before this one, searched for what ``work_dir`` lacks

    Raises
    ------
    DataError
        The folder does not exist, or a file in it is there but cannot be read.
    """
    run = RunResults(Path(work_dir), tuple(map(Path, earlier)))
    if not run.root.is_dir():
        fix = "run the notebooks 01 to 03 first"
        raise DataError("the run's folder does not exist", where=str(run.root), fix=fix)
    notes: list[str] = []
    info = read_json(run.path(RUN_JSON), tell=notes.append)
    oof = read_predictions(run.path(OUT_OF_FOLD), tell=notes.append)
    test = read_predictions(run.path(TEST), tell=notes.append)
    if truth and test is not None:
        test = replace(test, depth=read_truth(test, Path(truth)))
    bundle = read_json(run.bundle_json)
    events = _of_this_training(read_logbook(run.path(LOG), tell=notes.append), bundle)
    metric, stale = _metric(info, oof), _stale(run, bundle)
    for text in stale:
        say(text)
    return replace(
        run,
        oof=oof,
        test=test,
        info=info,
        data_dir=Path(data_dir) if data_dir else _data_dir_of(info),
        events=events,
        metric=metric,
        stale=tuple(stale),
        notes=(*notes, *stale),
        fingerprint=_fingerprint(run, truth, events=events, metric=metric),
    )


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
        return Metric.from_dict(known)
    return Metric() if oof is None or oof.depth is None else Metric.of(oof.depth)


def _of_this_training(events: Sequence[dict], bundle: Mapping[str, Any]) -> tuple[dict, ...]:
    """Without the epochs of trainings whose weights are not in the bundle; the log keeps all."""
    digest = bundle.get("digest", "") if bundle else None

    def belongs(event: Mapping) -> bool:
        return digest is None or event.get("event") != "epoch" or event.get("training", digest) == digest

    return tuple(filter(belongs, events))


def _stale(run: RunResults, bundle: Mapping[str, Any]) -> list[str]:
    """Results that do not belong together, in words."""
    files = (run.path(OUT_OF_FOLD), run.path(TEST))
    found = [text for path in files for text in predictions_doubts(path, bundle)]
    submission, test = run.path(SUBMISSION), run.path(TEST)
    if submission.is_file() and test.is_file() and (differs := submission_differs(submission, test)):
        what = "submission.csv is not what predictions/test.npz holds, which is shown here"
        found.append(f"{what}: {differs}. Run 03_submit again")
    return found


def _fingerprint(
    run: RunResults, truth: str | Path | None, *, events: Sequence[Mapping], metric: Metric
) -> str:
    """Of the results that the figures show and of the truth's content: an older figure is recognised."""
    paths = {name: run.path(name) for name in (OUT_OF_FOLD, TEST, SUBMISSION)} | {BUNDLE: run.bundle_json}
    paths |= {"truth": Path(truth)} if truth else {}
    files = {name: path for name, path in paths.items() if path.is_file()}
    content = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    epochs = [json.dumps(event, sort_keys=True) for event in events if event.get("event") == "epoch"]
    return fingerprint(content, epochs, [metric.mean, metric.sigma])
