"""What one stage of a run says about itself: in ``run.json``, in ``metrics.jsonl`` and on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spectramind_kit.errors import PlanetFailure, in_words
from spectramind_kit.run_folder.files import RUN_JSON, RunFiles
from spectramind_kit.run_folder.json_file import plain, read_json, write_json
from spectramind_kit.run_folder.logbook import Logbook
from spectramind_kit.runtime import say, say_once, say_some


class StageRecord(RunFiles):
    """The record of the stage that is running. A disk that is full costs the record, not the run."""

    stage: str
    logbook: Logbook

    @property
    def on_record(self) -> dict[str, Any]:
        """``run.json`` as it stands."""
        return read_json(self.root / RUN_JSON)

    def record(self, **fields: Any) -> None:
        """Merge top-level fields into ``run.json``, atomically."""
        try:
            write_json(self.root / RUN_JSON, {**self.on_record, **plain(fields)})
        except OSError as error:
            say_once(f"{self.root / RUN_JSON} cannot be written, the run goes on without: {error}")

    def record_stage(self, **fields: Any) -> None:
        """Merge fields into this stage's part of ``run.json``."""
        stages = self.stages()
        self.record(stages={**stages, self.stage: {**stages.get(self.stage, {}), **plain(fields)}})

    def stages(self) -> dict[str, dict[str, Any]]:
        """What each stage has on record; what is no record (of a file that somebody edited) is left out."""
        found = self.on_record.get("stages")
        entries = found.items() if isinstance(found, dict) else ()
        return {name: content for name, content in entries if isinstance(content, dict)}

    def log(self, event: str, **fields: Any) -> None:
        """One line of ``metrics.jsonl``."""
        try:
            self.logbook.write(event, **fields)
        except OSError as error:
            say_once(f"{self.logbook.path} cannot be written, the run goes on without: {error}")

    def tell(self, finding: str) -> None:
        """Say once what is odd about an input, and keep it in this stage's ``findings`` of ``run.json``."""
        if self._keep_new("findings", [finding]):
            say(finding)

    def known_backend(self, name: str) -> str | None:
        """What `backend` has recorded in this run."""
        return self.on_record.get("backends", {}).get(name)

    def backend(self, name: str, choice: str, *, show: bool = True) -> None:
        """Say once, in words, which path of a replaceable part runs, and keep it in ``run.json``."""
        if self.known_backend(name) != choice:
            if show:
                say(f"{name}: {choice}")
            self.record(backends={**self.on_record.get("backends", {}), name: choice})
        self.log("backend", name=name, choice=choice)

    def failures(self, what: str, failed: Sequence[PlanetFailure], *, show: bool = True) -> None:
        """Keep and show (unless it has been said) what was given up, with its reason; the rest goes on."""
        entries = [{"planet_id": f.planet_id, "visit": f.visit, "error": str(f.error)} for f in failed]
        known = self.stages().get(self.stage, {}).get(f"failed_{what}", [])
        self.record_stage(**{f"failed_{what}": [*known, *entries]})
        if show:
            visits = ["" if f.visit is None else f" visit {f.visit}" for f in failed]
            lines = [f"left out: planet {f.planet_id}{visit}: {f.error}" for f, visit in zip(failed, visits)]
            say_some(lines, rest="more, see run.json")

    def went_wrong(self, part: str, what: str, error: Exception) -> None:
        """Say what was lost by an error that the stage survives, and keep the error as ``<part>_failed``."""
        say(f"{what}: {in_words(error)}")
        self.record_stage(**{f"{part}_failed": in_words(error)})

    def flagged(self, what: str, flags: Mapping[tuple[int, int], Sequence[str]]) -> None:
        """Keep and show what is said of visits that are used all the same; ``flags`` by planet and visit."""
        entries = [{"planet_id": p, "visit": visit, "flags": list(f)} for (p, visit), f in flags.items()]
        new = self._keep_new(f"flagged_{what}", entries)
        lines = [f"flagged: planet {e['planet_id']} visit {e['visit']}: {'; '.join(e['flags'])}" for e in new]
        say_some(lines, rest="more, see run.json")

    def _keep_new(self, name: str, entries: Sequence[Any]) -> list[Any]:
        """Add to a list of this stage's record what is not in it yet, and return that."""
        known = self.stages().get(self.stage, {}).get(name, [])
        new = [entry for entry in entries if entry not in known]
        if new:
            self.record_stage(**{name: [*known, *new]})
        return new
