"""A run: its folder, its configuration, its clock, and what it says about itself (``run.json``,
``metrics.jsonl``)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectramind_kit.configs import config_digest, load_config
from spectramind_kit.errors import DataError
from spectramind_kit.models.build import check_buildable
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.run_folder.logbook import Logbook, plain
from spectramind_kit.run_folder.other_data import is_other_data, set_aside, train_planets
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
    say_once,
    seed_everything,
    where_am_i,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from spectramind_kit.runtime import Device


_SHOWN = 10  # planets of a kind that are named on the screen; run.json has all


@dataclass
class RunFolder:
    """One stage of a run. Open it with `RunFolder.open`; the stages of one run share ``root``.

    Files of earlier stages are looked for in ``root`` first, then in ``earlier``: on Kaggle the outputs of
    the kernels before this one are mounted read-only.
    """

    root: Path
    stage: str
    config: DictConfig
    data_dir: Path
    seed: int
    budget: TimeBudget
    logbook: Logbook
    earlier: tuple[Path, ...] = ()
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
        else quick. ``earlier``: folders of earlier stages; by default those that Kaggle mounts as inputs of
        the kernel.
        """
        check_seed(seed)
        profile = profile or ("full" if where_am_i().on_kaggle else "quick")
        root = Path(work_dir).expanduser().resolve()
        config, data_dir = load_config(profile=profile, overrides=overrides), find_data_dir(data_dir)
        if any(text.startswith(("model", "loss")) for text in map(str, overrides)):
            check_buildable(config)
        try:
            root.mkdir(parents=True, exist_ok=True)
            set_aside(
                root, stage=stage, known=read_json(root / "run.json").get("train_planets"), data_dir=data_dir
            )
            (root / "figures").mkdir(exist_ok=True)
            write_json(root / "run.json", read_json(root / "run.json"))
        except OSError as error:
            raise DataError(
                "the run's folder cannot be written",
                where=str(root),
                found=str(error),
                fix="choose another work_dir",
            ) from error
        run = cls(
            root=root,
            stage=stage,
            config=config,
            data_dir=data_dir,
            seed=int(seed),
            budget=TimeBudget(budget_hours),
            logbook=Logbook(root / "metrics.jsonl", stage=stage),
            earlier=tuple(Path(f) for f in (find_earlier_runs() if earlier is None else earlier)),
        )
        seed_everything(run.seed)
        run.record(
            environment=describe_environment(), profile=profile, seed=run.seed, data_dir=str(run.data_dir)
        )
        # what an earlier attempt at this stage said is no longer true
        run.record(stages={name: content for name, content in run._stages().items() if name != stage})
        run.record_stage(
            overrides=list(overrides),
            budget_hours=budget_hours,
            status="running",
            profile=profile,
            seed=run.seed,
            data_dir=str(run.data_dir),
            config_digest=config_digest(run.config),
        )
        run._recognise_data()
        say(f"{stage}: profile {profile}, data {run.data_dir}, run folder {root}")
        return run

    def _recognise_data(self) -> None:
        """Keep the train planets that this folder's results are of; say where the present data are others."""
        known = read_json(self.root / "run.json").get("train_planets")
        if is_other_data(known, self.data_dir):
            say(
                f"the earlier stages of this folder ran on other planets than {self.data_dir} holds; "
                "its bundle is of those"
            )
            self.record_stage(other_data=True)
        elif planets := train_planets(self.data_dir):
            self.record(train_planets=planets)

    # ------------------------------------------------------------ files

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    def find(self, relative: str) -> Path | None:
        """The path of an existing file or folder of this run or of an earlier kernel's, or None."""
        return next(
            (p for p in (folder / relative for folder in (self.root, *self.earlier)) if p.exists()), None
        )

    # ------------------------------------------------------------ what the run says about itself

    def record(self, **fields: Any) -> None:
        """Merge top-level fields into ``run.json``, atomically. A disk that is full costs the record, not the
        run."""
        path = self.root / "run.json"
        try:
            write_json(path, {**read_json(path), **plain(fields)})
        except OSError as error:
            say_once(f"{path} cannot be written, the run goes on without: {error}")

    def record_stage(self, **fields: Any) -> None:
        """Merge fields into this stage's part of ``run.json``."""
        stages = self._stages()
        stages[self.stage] = {**stages.get(self.stage, {}), **plain(fields)}
        self.record(stages=stages)

    def _stages(self) -> dict[str, dict[str, Any]]:
        """What each stage has on record; what is no record (of a file that somebody has edited) is left
        out."""
        found = read_json(self.root / "run.json").get("stages")
        return {
            name: content
            for name, content in (found if isinstance(found, dict) else {}).items()
            if isinstance(content, dict)
        }

    def tell(self, finding: str) -> None:
        """Say once what is odd about an input, and keep it in this stage's ``findings`` of ``run.json``."""
        known = self._stages().get(self.stage, {}).get("findings", [])
        if finding not in known:
            say(finding)
            self.record_stage(findings=[*known, finding])

    def log(self, event: str, **fields: Any) -> None:
        """One line of ``metrics.jsonl``; as with `record`, a full disk costs the line alone."""
        try:
            self.logbook.write(event, **fields)
        except OSError as error:
            say_once(f"{self.logbook.path} cannot be written, the run goes on without: {error}")

    def known_backend(self, name: str) -> str | None:
        """What `backend` has recorded in this run."""
        return read_json(self.root / "run.json").get("backends", {}).get(name)

    def backend(self, name: str, choice: str) -> None:
        """Say once, in words, which path of a replaceable part runs, and keep it in ``run.json``."""
        known = read_json(self.root / "run.json").get("backends", {})
        if known.get(name) != choice:
            say(f"{name}: {choice}")
            self.record(backends={**known, name: choice})
        self.log("backend", name=name, choice=choice)

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
        start = time.monotonic()
        status = "failed"
        try:
            yield
            status = "done"
        finally:
            seconds = time.monotonic() - start
            self.log(
                "stage",
                name=name,
                status=status,
                seconds=round(seconds, 3),
                peak_memory_mb=round(peak_memory_mb()),
            )
            say(f"{name}: {status} in {format_seconds(seconds)}")

    def failures(self, what: str, failed: Sequence[Any], *, show: bool = True) -> None:
        """Keep and show (unless it has been said) what was given up, with its reason; the rest goes on."""
        entries = [{"planet_id": f.planet_id, "visit": f.visit, "error": str(f.error)} for f in failed]
        before = self._stages().get(self.stage, {}).get(f"failed_{what}", [])
        self.record_stage(**{f"failed_{what}": [*before, *entries]})
        for entry in entries[:_SHOWN] if show else ():
            visit = "" if entry["visit"] is None else f" visit {entry['visit']}"
            say(f"left out: planet {entry['planet_id']}{visit}: {entry['error']}")
        if show and len(entries) > _SHOWN:
            say(f"… and {len(entries) - _SHOWN} more, see run.json")

    def flagged(self, what: str, flags: Mapping[tuple[int, int], Sequence[str]]) -> None:
        """Keep and show what is said of visits that are used all the same; ``flags`` by planet and visit."""
        entries = [
            {"planet_id": planet, "visit": visit, "flags": list(found)}
            for (planet, visit), found in flags.items()
        ]
        before = self._stages().get(self.stage, {}).get(f"flagged_{what}", [])
        new = [entry for entry in entries if entry not in before]
        if not new:
            return
        self.record_stage(**{f"flagged_{what}": [*before, *new]})
        for entry in new[:_SHOWN]:
            say(f"flagged: planet {entry['planet_id']} visit {entry['visit']}: {'; '.join(entry['flags'])}")
        if len(new) > _SHOWN:
            say(f"… and {len(new) - _SHOWN} more, see run.json")

    def close(self, *written: Path) -> None:
        """End of a stage: what was written and how long it took."""
        seconds = time.monotonic() - self._started
        self.record_stage(status="done", seconds=round(seconds, 1), peak_memory_mb=round(peak_memory_mb()))
        self.log(
            "stage",
            name=self.stage,
            status="done",
            seconds=round(seconds, 3),
            total=True,
            peak_memory_mb=round(peak_memory_mb()),
        )
        say(f"{self.stage}: done in {format_seconds(seconds)}, peak memory {peak_memory_mb():.0f} MB")
        for path in written:
            say(f"wrote {path}")


def find_earlier_runs() -> list[Path]:
    """Run folders among the kernel's inputs: outputs of earlier kernels, and datasets that hold a
    ``bundle/``."""
    found = [path.parent for path in find_inputs("run.json")]
    found += [path.parent.parent for path in find_inputs("bundle.json")]
    return sorted(set(found))
