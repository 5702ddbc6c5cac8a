"""Stars, planets and orbits, drawn from the distributions of the competition's tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.simulator.constants import M_JUP_KG, R_JUP_M, R_SUN_M, G
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.streams import ORBIT, planet_generator

R_SUN_R_JUP = R_SUN_M / R_JUP_M

# From the star table: quantiles of Ms, and of log Rs about its line in log Ms; log Ts is normal about one.
_LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_MASS = (0.60, 0.666, 0.750, 0.937, 1.097, 1.247, 1.433, 1.522, 1.818)
_LOG_RADIUS_LINE = (1.161, 0.113)
_LOG_RADIUS_ABOUT = (-0.278, -0.235, -0.198, -0.105, -0.023, 0.075, 0.283, 0.40, 0.551)
_LOG_TEMPERATURE_LINE, _LOG_TEMPERATURE_SIGMA = (0.378, 8.643), 0.051
# Quantiles of 90° − i.
_TILT_LEVELS = (0.0, 0.076, 0.10, 0.25, 0.5, 0.75, 0.90, 0.95, 0.99, 1.0)
_TILT_DEG = (0.0, 0.0, 0.155, 0.747, 1.494, 2.290, 2.819, 3.153, 3.778, 4.434)
_LOG_PLANET_MASS = (-0.05, 0.97)
# Planets of nearly one size around stars of many sizes: (Rp/Rs)² then has the mean, spread and range of the
# labels, and the times of ingress their narrow range (docs/decisions.md D55).
_LOG_PLANET_RADIUS_JUP = (0.275, 0.18)


@dataclass(frozen=True)
class Star:
    radius: float  # R☉
    mass: float  # M☉
    temperature_k: float


@dataclass(frozen=True)
class Planet:
    """One planet: its true orbit, and the orbit that the catalogue gives."""

    planet_id: int
    star: Star
    mass: float  # M_Jup
    period_d: float
    semi_major_axis: float  # a/Rs
    inclination_deg: float
    depth: float  # level of (Rp/Rs)²
    catalogue_semi_major_axis: float  # a/Rs
    catalogue_inclination_deg: float
    eccentricity: float = 0.0
    periastron_deg: float = 90.0  # its argument

    @property
    def impact_parameter(self) -> float:
        b = self.semi_major_axis * float(np.cos(np.radians(self.inclination_deg)))
        return b * self._distance_at_transit

    @property
    def _distance_at_transit(self) -> float:
        """From the star, in semi-major axes."""
        return (1.0 - self.eccentricity**2) / (
            1.0 + self.eccentricity * np.sin(np.radians(self.periastron_deg))
        )

    @property
    def catalogue_impact_parameter(self) -> float:
        return self.catalogue_semi_major_axis * float(np.cos(np.radians(self.catalogue_inclination_deg)))

    @property
    def radius_jup(self) -> float:
        return float(np.sqrt(self.depth)) * self.star.radius * R_SUN_R_JUP

    @property
    def gravity(self) -> float:
        """Surface gravity, m/s²."""
        return G * self.mass * M_JUP_KG / (self.radius_jup * R_JUP_M) ** 2

    @property
    def equilibrium_temperature_k(self) -> float:
        """Zero albedo, full redistribution: T★ / √(2 a/Rs)."""
        return self.star.temperature_k / float(np.sqrt(2.0 * self.semi_major_axis))

    def catalogue_row(self) -> dict[str, float]:
        """The planet's row of ``*_star_info.csv``."""
        return {
            "planet_id": self.planet_id,
            "Rs": self.star.radius,
            "Ms": self.star.mass,
            "Ts": self.star.temperature_k,
            "Mp": self.mass,
            "e": 0.0,
            "P": self.period_d,
            "sma": self.catalogue_semi_major_axis,
            "i": self.catalogue_inclination_deg,
        }


def kepler_axis(period_d, star_mass, star_radius):
    """a/Rs by Kepler's third law, from days, M☉ and R☉."""
    return 4.2083 * period_d ** (2 / 3) * star_mass ** (1 / 3) / star_radius


def draw_planet(seed: int, split: str, index: int, *, settings: Settings = Settings()) -> Planet:
    """Star, planet and orbit number ``index`` of a split."""
    rng = planet_generator(seed, split, index, purpose=ORBIT)
    planet_id = int(rng.integers(30_000, 2**32 - 1))
    star = _draw_star(rng)
    period = float(rng.uniform(2.78, 7.62))
    mass = float(np.exp(_trimmed_normal(rng, *_LOG_PLANET_MASS, low=np.log(0.049), high=np.log(25.0))))
    catalogue_sma = kepler_axis(period, star.mass, star.radius)
    catalogue_sma *= float(np.exp(_trimmed_normal(rng, 0.0, 0.064, low=-0.25, high=0.29)))
    radius_jup = float(np.exp(rng.normal(*_LOG_PLANET_RADIUS_JUP)))
    depth = float(np.clip((radius_jup / (star.radius * R_SUN_R_JUP)) ** 2, 0.0038, 0.079))

    # Catalogue inclinations do not depend on a/Rs; an atom sits at 90°.
    tilt = np.radians(np.interp(rng.random(), _TILT_LEVELS, _TILT_DEG))
    b_catalogue = float(catalogue_sma * np.sin(tilt))
    scatter = settings.catalogue_scatter
    if rng.random() < settings.catalogue_outlier_fraction:
        scatter *= settings.catalogue_outlier
    sma = float(np.clip(catalogue_sma * np.exp(scatter * rng.standard_normal()), 3.5, 24.0))
    limit = 1.0 + np.sqrt(depth)
    b_catalogue = min(b_catalogue, 0.97 * limit)
    # The true impact parameter must let the planet transit; grazing ones (b > 1 − r) stay in.
    b = min(abs(b_catalogue + settings.impact_scatter * float(rng.standard_normal())), 0.96 * limit)
    eccentricity, periastron_deg = _draw_eccentricity(rng, settings)
    at_transit = (1.0 - eccentricity**2) / (1.0 + eccentricity * np.sin(np.radians(periastron_deg)))
    return Planet(
        planet_id=planet_id,
        star=star,
        mass=mass,
        period_d=period,
        semi_major_axis=sma,
        inclination_deg=float(np.degrees(np.arccos(b / sma / at_transit))),
        depth=depth,
        catalogue_semi_major_axis=catalogue_sma,
        catalogue_inclination_deg=float(np.degrees(np.arccos(b_catalogue / catalogue_sma))),
        eccentricity=eccentricity,
        periastron_deg=periastron_deg,
    )


def _draw_eccentricity(rng: np.random.Generator, settings: Settings) -> tuple[float, float]:
    """Eccentricity and argument of periastron in degrees; the table says 0 all the same, as the real one
    does."""
    if rng.random() >= settings.eccentric_fraction:
        return 0.0, 90.0
    return float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.0, 360.0))


def _draw_star(rng: np.random.Generator) -> Star:
    log_mass = float(np.log(np.interp(rng.random(), _LEVELS, _MASS)))
    slope, level = _LOG_RADIUS_LINE
    log_radius = slope * log_mass + level + float(np.interp(rng.random(), _LEVELS, _LOG_RADIUS_ABOUT))
    slope, level = _LOG_TEMPERATURE_LINE
    log_temperature = slope * log_mass + level + _LOG_TEMPERATURE_SIGMA * float(rng.standard_normal())
    return Star(
        radius=float(np.clip(np.exp(log_radius), 0.65, 2.9)),
        mass=float(np.exp(log_mass)),
        temperature_k=float(np.clip(np.exp(log_temperature), 4236.0, 6979.0)),
    )


def _trimmed_normal(rng: np.random.Generator, mean: float, sigma: float, *, low: float, high: float) -> float:
    """A normal draw, repeated until it lies inside the limits."""
    while True:
        value = rng.normal(mean, sigma)
        if low <= value <= high:
            return float(value)
