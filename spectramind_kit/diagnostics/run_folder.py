"""Read what a run left in its folder; whatever is absent is ``None`` or empty, never an error.

A run's folder is described in ``README.md``: predictions of the train planets out of fold (``oof.npz``) and of the
test planets (``test.npz``), one JSON object a line in ``metrics.jsonl``, ``run.json``, the store of light curves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from spectramind_kit import metric
from spectramind_kit.errors import DataError

STAGES = ("anchor", "network", "final")
_STAGE_FIELDS = {"anchor": ("anchor_depth", "anchor_err"), "network": ("network_depth_mean", "network_depth_sigma"),
                 "final": ("depth_mean", "depth_sigma")}


@dataclass(frozen=True)
class Predictions:
    """Spectra of N planets, transit depth (dimensionless), index 0 FGS1; fields that the run lacks are ``None``.

    Attributes
    ----------
    planet_id : (N,) int        wavelength_um : (283,) µm
    depth_mean, depth_sigma : (N, 283)      what goes into the submission
    anchor_depth, anchor_err, network_depth_mean, network_depth_sigma : (N, 283)      the stages before it
    depth : (N, 283)            labels or truth
    fused, fgs1_embedding, airs_embedding : (N, D)      pooled embeddings of the network
    fold : (N,) int             the fold that held each train planet out
    """

    planet_id: np.ndarray
    wavelength_um: np.ndarray
    depth_mean: np.ndarray
    depth_sigma: np.ndarray
    anchor_depth: np.ndarray | None = None
    anchor_err: np.ndarray | None = None
    network_depth_mean: np.ndarray | None = None
    network_depth_sigma: np.ndarray | None = None
    depth: np.ndarray | None = None
    fused: np.ndarray | None = None
    fgs1_embedding: np.ndarray | None = None
    airs_embedding: np.ndarray | None = None
    fold: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.planet_id)

    def stage(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(mean, sigma), each (N, 283), of ``anchor``, ``network`` or ``final``; None where the run has none."""
        mean, sigma = (getattr(self, part) for part in _STAGE_FIELDS[name])
        return None if mean is None or sigma is None else (mean, sigma)

    def with_stage(self, name: str) -> Predictions:
        """The same planets with ``depth_mean`` and ``depth_sigma`` of another stage."""
        mean, sigma = self.stage(name)
        return replace(self, depth_mean=mean, depth_sigma=sigma)

    def only(self, rows: np.ndarray) -> Predictions:
        """The same for some planets: ``rows`` is a mask or an index array."""
        kept = {f.name: (None if getattr(self, f.name) is None else getattr(self, f.name)[rows])
                for f in fields(self) if f.name != "wavelength_um"}
        return replace(self, **kept)


@dataclass(frozen=True)
class RunResults:
    """Everything that a run's folder holds for diagnostics.

    ``oof`` has labels; ``test`` has ``depth`` only where a truth was given. ``notes`` tells what is missing and why.
    """

    work_dir: Path
    oof: Predictions | None = None
    test: Predictions | None = None
    events: tuple[dict, ...] = ()
    info: Mapping = field(default_factory=dict)
    data_dir: Path | None = None
    naive_mean: float = metric.OFFICIAL_NAIVE_MEAN
    naive_sigma: float = metric.OFFICIAL_NAIVE_SIGMA
    fingerprint: str = ""
    notes: tuple[str, ...] = ()

    @property
    def figures_dir(self) -> Path:
        return self.work_dir / "figures"

    @property
    def diagnostics_dir(self) -> Path:
        return self.work_dir / "diagnostics"

    def of_kind(self, kind: str) -> list[dict]:
        """The events of ``metrics.jsonl`` of one kind, in the order they were written."""
        return [event for event in self.events if event.get("event") == kind]

    @cached_property
    def judged(self) -> dict[str, Predictions]:
        """The sets whose depths are known, by a name for legends; planets without a finite depth are left out."""
        sets = {"test, against truth": self.test, "train, out of fold": self.oof}
        known = {}
        for name, predictions in sets.items():
            if predictions is not None and predictions.depth is not None:
                rows = np.isfinite(predictions.depth).all(axis=1) & np.isfinite(predictions.depth_mean).all(axis=1)
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


def open_run(work_dir: str | Path, *, truth: str | Path | None = None, data_dir: str | Path | None = None) -> RunResults:
    """Read a run's folder.

    Parameters
    ----------
    work_dir : the folder that the notebooks wrote to
    truth : CSV of the test planets' depths (planet_id, wl_1..wl_283), if there is one
    data_dir : the competition's folder (for the star tables); read from ``run.json`` when not given

    Raises
    ------
    DataError
        The folder does not exist, or a file in it is there but cannot be read.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise DataError("the run's folder does not exist", where=str(work_dir), fix="run the notebooks 01 to 03 first")
    notes: list[str] = []
    info = _read_json(work_dir / "run.json", notes)
    oof = _read_predictions(work_dir / "predictions" / "oof.npz", notes)
    test = _read_predictions(work_dir / "predictions" / "test.npz", notes)
    truth = truth or None
    if truth is not None and test is not None:
        test = replace(test, depth=_truth_for(test, Path(truth)))
    data_dir = Path(data_dir) if data_dir else _data_dir_of(info)
    mean, sigma = _naive(oof, data_dir)
    return RunResults(work_dir=work_dir, oof=oof, test=test, events=_read_events(work_dir / "metrics.jsonl", notes),
                      info=info, data_dir=data_dir, naive_mean=mean, naive_sigma=sigma,
                      fingerprint=_fingerprint(work_dir, truth), notes=tuple(notes))


def _read_predictions(path: Path, notes: list[str]) -> Predictions | None:
    if not path.is_file():
        notes.append(f"no {path.name}: no predictions of the {'train' if path.stem == 'oof' else 'test'} planets")
        return None
    known = {f.name for f in fields(Predictions)}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files if name in known}
        predictions = Predictions(**content)
    except (OSError, ValueError, TypeError) as error:
        raise DataError("predictions cannot be read", where=str(path), found=str(error),
                        expected="planet_id, wavelength_um, depth_mean, depth_sigma", fix="run notebook 03 again") from error
    if len(predictions) == 0:
        notes.append(f"{path.name} holds no planet")
        return None
    return predictions


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


def _truth_for(test: Predictions, path: Path) -> np.ndarray:
    """(N, 283), NaN rows for planets that the truth does not hold; matched by planet_id, not by position."""
    import pandas as pd

    if not path.is_file():
        raise DataError("the truth file does not exist", where=str(path), fix="correct `truth`, or leave it empty")
    table = pd.read_csv(path)
    if "planet_id" not in table:
        raise DataError("the truth has no planet_id column", where=str(path), found=", ".join(table.columns[:4]))
    table["planet_id"] = table["planet_id"].astype(float).astype("int64")
    table = table.drop_duplicates("planet_id").set_index("planet_id")
    if table.shape[1] != test.depth_mean.shape[1]:
        raise DataError("the truth has a wrong number of wavelengths", where=str(path),
                        expected=str(test.depth_mean.shape[1]), found=str(table.shape[1]))
    return table.reindex(test.planet_id.astype("int64")).to_numpy(dtype=np.float64)


def _data_dir_of(info: Mapping) -> Path | None:
    for level in (info, info.get("parameters") or {}, info.get("config") or {}):
        value = level.get("data_dir") if isinstance(level, Mapping) else None
        if value and Path(str(value)).is_dir():
            return Path(str(value))
    return None


def _naive(oof: Predictions | None, data_dir: Path | None) -> tuple[float, float]:
    """The metric's naive mean and std: of all train labels, else of those in the run, else the official ones."""
    if data_dir is not None and (data_dir / "train.csv").is_file():
        from spectramind_kit.detector.layout import read_labels

        return metric.naive_statistics(read_labels(data_dir).to_numpy(dtype=np.float64))
    if oof is not None and oof.depth is not None:
        return metric.naive_statistics(oof.depth)
    return metric.OFFICIAL_NAIVE_MEAN, metric.OFFICIAL_NAIVE_SIGMA


def _fingerprint(work_dir: Path, truth: str | Path | None) -> str:
    """Short digest of the results that the figures show, so that a figure of an older run is recognised."""
    digest = hashlib.sha256(str(truth or "").encode())
    for name in ("predictions/oof.npz", "predictions/test.npz"):
        path = work_dir / name
        digest.update(path.read_bytes() if path.is_file() else b"-")
    return digest.hexdigest()[:16]
