"""A run while it is made: its folder, its configuration, its clock, and what it says about itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from spectramind_kit.configs import config_digest, load_config
from spectramind_kit.errors import DataError
from spectramind_kit.models.build import check_buildable
from spectramind_kit.run_folder.files import LOG, RUN_JSON
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.run_folder.logbook import Logbook
from spectramind_kit.run_folder.other_data import is_other_data, set_aside, train_planets
from spectramind_kit.run_folder.record import StageRecord
from spectramind_kit.runtime import (
    TimeBudget,
    check_seed,
    describe_environment,
    find_data_dir,
    find_inputs,
    format_seconds,
    peak_memory_mb,
    probe_device,
    say,
    seed_everything,
    where_am_i,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from spectramind_kit.runtime import Device


@dataclass
class RunFolder(StageRecord):
    """One stage of a run. Open it with `RunFolder.open`; the stages of one run share ``root``."""

    root: Path
    stage: str
    config: DictConfig
    data_dir: Path
    seed: int
    budget: TimeBudget
    logbook: Logbook
    earlier: tuple[Path, ...] = ()  # folders of earlier stages, searched for what ``root`` lacks
    _started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(
        cls,
        work_dir: str | Path,
        *,
        stage: str,
        data_dir: str | Path = "",
        profile: str = "",
        seed: int = 0,
        budget_hours: float = 9.0,
        overrides: Sequence[str] = (),
        earlier: Sequence[str | Path] | None = None,
    ) -> RunFolder:
        """Read the configuration, find the data, seed, and write what is known into ``run.json``.

        ``profile``: smoke, quick or full; by default full on Kaggle, where there are a GPU and 1,100 planets,
        else quick. ``earlier``: by default the outputs that Kaggle mounts as the kernel's inputs.
        """
        check_seed(seed)
        profile = profile or ("full" if where_am_i().on_kaggle else "quick")
        root = Path(work_dir).expanduser().resolve()
        config, data_dir = load_config(profile=profile, overrides=overrides), find_data_dir(data_dir)
        if any(text.startswith(("model", "loss")) for text in map(str, overrides)):
            check_buildable(config)
        _prepare(root, stage=stage, data_dir=data_dir)
        run = cls(
            root=root,
            stage=stage,
            config=config,
            data_dir=data_dir,
            seed=int(seed),
            budget=TimeBudget(budget_hours),
            logbook=Logbook(root / LOG, stage=stage),
            earlier=tuple(Path(f) for f in (find_earlier_runs() if earlier is None else earlier)),
        )
        seed_everything(run.seed)
        known = {"profile": profile, "seed": run.seed, "data_dir": str(run.data_dir)}
        # what an earlier attempt at this stage said is no longer true
        others = {name: content for name, content in run.stages().items() if name != stage}
        run.record(environment=describe_environment(), **known, stages=others)
        settings = {"overrides": list(overrides), "budget_hours": budget_hours}
        run.record_stage(status="running", config_digest=config_digest(config), **settings, **known)
        run._recognise_data()
        say(f"{stage}: profile {profile}, data {run.data_dir}, run folder {root}")
        return run

    def _recognise_data(self) -> None:
        """Keep the train planets that this folder's results are of; say where the present data are others."""
        if is_other_data(self.on_record.get("train_planets"), self.data_dir):
            what = f"ran on other planets than {self.data_dir} holds; its bundle is of those"
            say(f"the earlier stages of this folder {what}")
            self.record_stage(other_data=True)
        elif planets := train_planets(self.data_dir):
            self.record(train_planets=planets)

    def device(self) -> Device:
        """The device that a probe operation ran on."""
        device = probe_device(self.config.train.device)
        if self.known_backend("device") not in (None, device.note):
            self.record(backends={})  # what was found out on another machine
        self.backend("device", device.note)
        return device

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; it ends up in ``metrics.jsonl`` and on the screen, also when it fails."""
        start, status = time.monotonic(), "failed"
        try:
            yield
            status = "done"
        finally:
            seconds = time.monotonic() - start
            self._log_step(name, status, seconds)
            say(f"{name}: {status} in {format_seconds(seconds)}")

    def _log_step(self, name: str, status: str, seconds: float, **fields: bool) -> None:
        memory = round(peak_memory_mb())
        self.log(
            "stage", name=name, status=status, seconds=round(seconds, 3), peak_memory_mb=memory, **fields
        )

    def close(self, *written: Path) -> None:
        """End of a stage: what was written and how long it took."""
        seconds, memory = time.monotonic() - self._started, peak_memory_mb()
        self.record_stage(status="done", seconds=round(seconds, 1), peak_memory_mb=round(memory))
        self._log_step(self.stage, "done", seconds, total=True)
        say(f"{self.stage}: done in {format_seconds(seconds)}, peak memory {memory:.0f} MB")
        for path in written:
            say(f"wrote {path}")


def _prepare(root: Path, *, stage: str, data_dir: Path) -> None:
    """Make the folder, with a ``run.json`` that is readable and of these data."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        known = read_json(root / RUN_JSON).get("train_planets")
        set_aside(root, stage=stage, known=known, data_dir=data_dir)
        (root / "figures").mkdir(exist_ok=True)
        write_json(root / RUN_JSON, read_json(root / RUN_JSON))
    except OSError as error:
        raise DataError(
            "the run's folder cannot be written",
            where=str(root),
            found=str(error),
            fix="choose another work_dir",
        ) from error


def find_earlier_runs() -> list[Path]:
    """Run folders among the kernel's inputs: outputs of earlier kernels, and datasets with a ``bundle/``."""
    found = [path.parent for path in find_inputs(RUN_JSON)]
    found += [path.parent.parent for path in find_inputs("bundle.json")]
    return sorted(set(found))
