"""Named skies: ``real`` is the default, ``easy`` what it was before, the others hide one effect from every
model.

The anchor's physics knows quadratic limb darkening, circles, smooth drift and a small mismatch of the labels.
In a world of the last group every planet or visit has one effect more: what do incomplete physics cost, and
who pays?
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spectramind_kit.errors import ConfigError, check_choice
from spectramind_kit.simulator.settings import Settings

_REAL = Settings()
WORLDS = {
    "real": _REAL,
    "easy": replace(
        _REAL,
        spectra="bands",
        optics="gaussian",
        foreground="passband",
        drift="small",
        anomaly_fraction=0.0,
        catalogue_outlier=5.0,
        impact_scatter=0.03,
        limb_scatter=1.0,
        other_law_fraction=0.0,
        bright_fraction=0.0,
    ),
    "limb_darkening": replace(_REAL, other_law_fraction=1.0, limb_scatter=3.0),
    "spot_crossings": replace(_REAL, spot_crossing_fraction=1.0),
    "ramps": replace(_REAL, ramp_fraction=1.0),
    "eccentric": replace(_REAL, eccentric_fraction=1.0),
    "dilution": replace(_REAL, anomaly_fraction=0.3),
}


def world(name: str, **changes) -> Settings:
    """Settings of a named world, with ``changes`` to single fields."""
    check_choice(name, WORLDS, what="world")
    return replace(WORLDS[name], **changes)


@dataclass(frozen=True)
class SimulationSize:
    """``configs/simulate``: what `scripts/run` simulates when it is given no data."""

    n_train: int
    n_test: int
    cadence: str
    seed: int
    world: str

    def __post_init__(self):
        world(self.world, cadence=self.cadence)
        for name, least in (("n_train", 2), ("n_test", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(
                    f"{name} is out of range",
                    where="simulate settings",
                    found=repr(getattr(self, name)),
                    expected=f"{least} or more",
                    fix=f"correct simulate.{name}",
                )
