"""When a visit is read: frame pairs of the full and the reduced cadence, and their time stamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import AIRS, BLOCKS_REDUCED, VISIT_H, Sensor


@dataclass(frozen=True)
class Timing:
    """Frame pairs of one sensor in one cadence."""

    pairs: int
    coadded: float  # real pairs behind one stored pair
    exposure_h: float

    @property
    def mid_exposure_h(self) -> np.ndarray:
        """(pairs,) centre of the light that each CDS frame collects."""
        return (np.arange(self.pairs) + 0.5) * VISIT_H / self.pairs


def timing(sensor: Sensor, cadence: str) -> Timing:
    """Frame pairs of a visit at ``full`` or ``reduced`` cadence."""
    if cadence == "full":
        return Timing(sensor.pairs, 1.0, sensor.exposure_s / 3600.0)
    pairs = BLOCKS_REDUCED * (1 if sensor.name == AIRS.name else 12)
    return Timing(pairs, sensor.pairs / pairs, VISIT_H / pairs)


def axis_times_h(sensor: Sensor, cadence: str) -> np.ndarray:
    """(2·pairs,) times of the reads as axis_info gives them; reduced frames carry the mean of theirs."""
    plan = timing(sensor, cadence)
    first = sensor.axis_start_s + sensor.period_s * ((np.arange(plan.pairs) + 0.5) * plan.coadded - 0.5)
    return np.stack([first, first + 0.1], axis=1).reshape(-1) / 3600.0
