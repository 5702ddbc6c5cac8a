"""What a transit model with quadratic limb darkening on a plain disk does not know: other laws, spots, ramps.

All are small additions to the light curve of the quadratic disk. A radial profile of intensity is a stack of
disks, and a planet hides of each a lens between two circles, so any law costs one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import planck_photons
from spectramind_kit.simulator.settings import Settings

_DISKS = 40  # of the stack, the star itself first; finer towards the limb
_EDGES = np.linspace(np.pi / 2.0, 0.0, _DISKS + 1)  # angle on the star's sphere from the centre of the disk
_DISK_RADIUS = np.sin(_EDGES[:-1])  # stellar radii
_MU = np.cos((_EDGES[1:] + _EDGES[:-1]) / 2.0)  # between the edges of neighbouring disks
_AREA = np.pi * -np.diff(np.sin(_EDGES) ** 2)  # between them


@dataclass(frozen=True)
class Spot:
    """A dark disk on the star that the planet crosses; lengths in stellar radii."""

    place: float  # along the chord, from its middle
    offset: float  # across the chord, from the planet's path
    radius: float
    darkness: np.ndarray  # (357,) 1 − its brightness, of the star's


@dataclass(frozen=True)
class Ramp:
    """The sensors settle: 1 + size·exp(−t / time) from the start of the visit."""

    size: float  # of the flux
    time_h: float


@dataclass(frozen=True)
class HiddenEffects:
    limb_steps: np.ndarray | None = None  # (357, disks) brightness above the quadratic law's, disk by disk
    spot: Spot | None = None
    ramp: Ramp | None = None

    @property
    def in_transit(self) -> bool:
        return self.limb_steps is not None or self.spot is not None

    def transit_excess(
        self, separation: np.ndarray, planet_radius: float, impact: float
    ) -> np.ndarray | float:
        """(T, 357) what is added to the flux of the quadratic disk behind a planet; ``separation`` (T,).

        ``planet_radius`` is the white-light Rp/Rs: its change with wavelength changes the excess by less than
        1 ppm.
        """
        excess = 0.0
        if self.limb_steps is not None:
            hidden = lens_area(_DISK_RADIUS, separation[:, None], planet_radius)  # (T, disks)
            excess = excess - hidden @ self.limb_steps.T
        if self.spot is not None:
            along = np.sqrt(np.maximum(separation**2 - impact**2, 0.0))
            along = np.where(np.arange(len(along)) < along.argmin(), -along, along)
            distance = np.hypot(along - self.spot.place, self.spot.offset)
            hidden = lens_area(self.spot.radius, distance, planet_radius) / np.pi
            excess = excess + hidden[:, None] * self.spot.darkness
        return excess

    def gain(self, time_h: np.ndarray) -> np.ndarray | float:
        """(T, 1) factor of the flux."""
        if self.ramp is None:
            return 1.0
        return 1.0 + self.ramp.size * np.exp(-time_h / self.ramp.time_h)[:, None]


def lens_area(radius, distance, other_radius) -> np.ndarray:
    """Area that two disks share, any shapes that broadcast."""
    a, d, b = np.broadcast_arrays(*(np.asarray(v, float) for v in (radius, distance, other_radius)))
    apart = d >= a + b
    inside = d <= np.abs(a - b)
    safe = np.where(apart | inside, a + b, d)  # touching: the formula is smooth there
    with np.errstate(invalid="ignore", divide="ignore"):
        cos_a = np.clip((safe**2 + a**2 - b**2) / (2.0 * safe * a), -1.0, 1.0)
        cos_b = np.clip((safe**2 + b**2 - a**2) / (2.0 * safe * b), -1.0, 1.0)
        kite = np.maximum((-safe + a + b) * (safe + a - b) * (safe - a + b) * (safe + a + b), 0.0)
        lens = a**2 * np.arccos(cos_a) + b**2 * np.arccos(cos_b) - 0.5 * np.sqrt(kite)
    return np.where(apart, 0.0, np.where(inside, np.pi * np.minimum(a, b) ** 2, lens))


def draw_other_law(rng: np.random.Generator, u1: np.ndarray, u2: np.ndarray) -> np.ndarray:
    """(W, disks) steps in brightness, law less quadratic law, of a star whose profile bends as another law
    does.

    The linear, square-root, power-2 and four-parameter laws, each as near to the star's own quadratic profile
    (W,) as it can be once that has been made steeper or flatter near the limb.
    """
    dark = 1.0 - _MU
    quadratic = 1.0 - u1[:, None] * dark - u2[:, None] * dark**2
    wanted = quadratic - rng.normal(0.0, 0.06) * dark**6
    exponent = rng.uniform(0.4, 0.9)
    laws = ([_MU], [_MU, np.sqrt(_MU)], [_MU**exponent], [_MU ** (n / 2) for n in (1, 2, 3, 4)])
    basis = np.stack([1.0 - term for term in laws[int(rng.integers(len(laws)))]], axis=1)
    weight = np.sqrt(_AREA)
    fit = np.linalg.lstsq(basis * weight[:, None], ((1.0 - wanted) * weight).T, rcond=None)[0]
    profile = 1.0 - (basis @ fit).T
    return _steps(profile, quadratic)


def steps_of_profile(profile: Callable, quadratic: Callable) -> np.ndarray:
    """(W, disks) from brightness as a function of µ (disks,) -> (W, disks)."""
    return _steps(profile(_MU), quadratic(_MU))


def _steps(profile: np.ndarray, quadratic: np.ndarray) -> np.ndarray:
    """A profile (W, disks) as a sum of disks, less the quadratic law's.

    In units of the star's whole light, of which both profiles get the same.
    """
    excess = profile / (profile @ _AREA)[:, None] - quadratic / (quadratic @ _AREA)[:, None]
    return np.diff(excess, axis=1, prepend=0.0)


def draw_hidden_effects(
    rng: np.random.Generator,
    grid_um: np.ndarray,
    star_k: float,
    *,
    limb_steps: np.ndarray | None,
    settings: Settings,
) -> HiddenEffects:
    """One visit's: the star's limb, a spot on the planet's path, a ramp, in the shares of the settings."""
    crosses, settles = rng.random(2) < (settings.spot_crossing_fraction, settings.ramp_fraction)
    spot_k = star_k * rng.uniform(0.75, 0.92)
    darkness = 1.0 - planck_photons(grid_um, spot_k) / planck_photons(grid_um, star_k)
    spot = Spot(rng.uniform(-0.75, 0.75), rng.normal(0.0, 0.05), rng.uniform(0.04, 0.12), darkness)
    size = rng.choice([-1.0, 1.0]) * np.exp(rng.normal(np.log(8e-4), 0.6))
    ramp = Ramp(float(size), float(rng.uniform(0.2, 0.8)))
    return HiddenEffects(limb_steps, spot if crosses else None, ramp if settles else None)
