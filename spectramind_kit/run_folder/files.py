"""The names of a run's files and folders, and where to look for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spectramind_kit.run_folder.bundles import BUNDLE, FoundBundle, find_bundles
from spectramind_kit.run_folder.json_file import read_json

RUN_JSON, LOG, SUBMISSION, REPORT = "run.json", "metrics.jsonl", "submission.csv", "report.html"
PLANETS = "planets.csv"  # a row of numbers per planet, beside the report
OUT_OF_FOLD, TEST = "predictions/oof.npz", "predictions/test.npz"  # of the train planets, of the test planets
RESULTS = (RUN_JSON, LOG, SUBMISSION, REPORT, PLANETS, "predictions", "bundle", "figures", "diagnostics")
INTERMEDIATE = ("store", "anchor", "train")  # light curves, measurements, checkpoints


class RunFiles:
    """A run's own folder, ``root``, and those of ``earlier`` kernels, which Kaggle mounts read-only."""

    root: Path
    earlier: tuple[Path, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where files are looked for, in this order."""
        return (self.root, *self.earlier)

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def bundles(self) -> list[FoundBundle]:
        """Bundles of this run's training and of earlier kernels and datasets, the newest first."""
        return find_bundles(self.folders)

    @property
    def bundle_json(self) -> Path:
        """Of the newest bundle but for those that 03_submit passed over, since it could not use them.

        Where there is none, the path that it would have in this run.
        """
        submit = next(filter(None, (_submit_record(folder / RUN_JSON) for folder in self.folders)), {})
        used, passed_over, bundles = (
            submit.get("bundle"),
            str(submit.get("bundles_passed_over")),
            self.bundles,
        )
        if used in [bundle.fingerprint for bundle in bundles]:  # what is newer than that record stays
            bundles = [b for b in bundles if b.fingerprint == used or _date_and_name(b) not in passed_over]
        return next((bundle.folder / Path(BUNDLE).name for bundle in bundles), self.root / BUNDLE)

    def find(self, relative: str) -> Path | None:
        """An existing file or folder of this run or of an earlier kernel's, or None."""
        return next((path for folder in self.folders if (path := folder / relative).exists()), None)

    def path(self, relative: str) -> Path:
        """As `find`; where there is none, the path that it would have in this run."""
        return self.find(relative) or self.root / relative

    def glob(self, pattern: str) -> list[Path]:
        """Files by pattern, of this run and of the earlier kernels'."""
        return [path for folder in self.folders for path in folder.glob(pattern)]


def _submit_record(path: Path) -> dict[str, Any]:
    """What 03_submit has on record in a ``run.json``; empty where it has nothing, or somebody edited it."""
    stages = read_json(path).get("stages")
    record = stages.get("submit") if isinstance(stages, dict) else None
    return record if isinstance(record, dict) else {}


def _date_and_name(bundle: FoundBundle) -> str:
    """Without its folder: another kernel may mount it elsewhere."""
    return bundle.in_words.removeprefix(str(bundle.folder))
