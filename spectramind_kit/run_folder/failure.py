"""A planet that was given up, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PlanetFailure:
    """The rest of the run goes on; ``run.json`` keeps these. ``visit`` is None where it concerns the whole
    planet."""

    planet_id: int
    error: str
    visit: int | None = None
