"""Hours that a run may take."""

from __future__ import annotations

import time

from spectramind_kit.errors import ConfigError


def check_hours(hours: float) -> None:
    """Raise ConfigError for a budget that nothing fits into."""
    if not hours > 0:
        raise ConfigError(
            "a time budget must be positive",
            where="budget_hours",
            found=repr(hours),
            expected="hours above 0",
            fix="e.g. budget_hours=8.5",
        )


class TimeBudget:
    """Hours that a run may take, and what its parts have cost so far.

    ``charge(name, units, seconds)`` learns what one unit of a part costs; ``fits(name, units)`` whether so
    many more units would end before the reserve; of a part that was never charged, as long as time is left.
    """

    def __init__(self, hours: float, *, reserve: float = 0.05, clock=time.monotonic):
        check_hours(hours)
        self._clock, self._start = clock, clock()
        self.total_s = hours * 3600.0
        self.reserve_s = self.total_s * reserve
        self._cost: dict[str, tuple[float, float]] = {}  # part: (units, seconds)

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._start

    @property
    def left_s(self) -> float:
        """Seconds until the reserve begins; negative when the run is late."""
        return self.total_s - self.reserve_s - self.elapsed_s

    def charge(self, name: str, *, units: float, seconds: float) -> None:
        done, spent = self._cost.get(name, (0.0, 0.0))
        self._cost[name] = (done + units, spent + seconds)

    def seconds_per_unit(self, name: str) -> float | None:
        done, spent = self._cost.get(name, (0.0, 0.0))
        return spent / done if done else None

    def fits(self, name: str, *, units: float) -> bool:
        return (self.seconds_per_unit(name) or 0.0) * units < self.left_s
