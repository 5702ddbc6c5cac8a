"""Light curves for the anchor's tests: our transit model, noise of the real instrument's size, a smooth
drift.

Independent of the package's simulator on purpose: the anchor must not be tuned to one generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from spectramind_kit.detector.light_curve import LightCurve
from spectramind_kit.transit.limb_darkening import transit_flux
from spectramind_kit.transit.orbit import projected_separation

WAVELENGTH = np.r_[0.7, np.linspace(1.9518, 3.895, 282)]


@dataclass(frozen=True)
class Planet:
    star: dict[str, float]
    depth: np.ndarray
    u1: np.ndarray
    u2: np.ndarray
    axis: float
    impact: float
    mid_time: float


def make_spectrum(rng: np.random.Generator, *, level: float, amplitude: float) -> np.ndarray:
    """A depth spectrum of three bands and a slope, std about ``amplitude``."""
    x = WAVELENGTH[1:]
    bands = [np.exp(-0.5 * ((x - c) / w) ** 2) for c, w in ((2.7, 0.15), (3.3, 0.12), (2.0, 0.1))]
    shape = rng.normal(size=3) @ np.array(bands) + 0.3 * rng.normal() * (x - 2.9)
    shape = (shape - shape.mean()) / max(shape.std(), 1e-9)
    return np.r_[level + amplitude * 2.0 * rng.normal(), level + amplitude * shape]


def make_planet(seed: int, **fixed: float) -> Planet:
    """A random planet; ``fixed`` may set level, amplitude, impact, mid_time, table_axis_factor."""
    rng = np.random.default_rng(seed)
    period, axis = rng.uniform(2.8, 7.6), rng.uniform(7.0, 14.0)
    temperature = rng.normal(5850.0, 500.0)
    warmth = (temperature - 5800.0) / 500.0
    u1 = np.r_[
        0.48 - 0.04 * warmth + rng.normal(0, 0.01), 0.16 - 0.02 * warmth - 0.05 * np.linspace(0, 1, 282)
    ]
    u2 = np.r_[0.12 + rng.normal(0, 0.01), 0.13 + 0.02 * np.linspace(0, 1, 282)]
    impact = fixed.get("impact", abs(rng.normal(0.0, 0.35)))
    level = fixed.get("level", float(np.exp(rng.normal(np.log(0.0125), 0.5))))
    depth = make_spectrum(
        rng, level=level, amplitude=fixed.get("amplitude", float(np.exp(rng.normal(np.log(6e-5), 0.6))))
    )
    table = axis * fixed.get("table_axis_factor", float(np.exp(rng.normal(0, 0.05))))
    star = {
        "Rs": 1.2,
        "Ms": 1.1,
        "Ts": temperature,
        "Mp": 1.0,
        "e": 0.0,
        "P": period,
        "sma": table,
        "i": float(np.degrees(np.arccos(min(impact / axis, 1.0)))),
    }
    return Planet(star, depth, u1, u2, axis, impact, fixed.get("mid_time", rng.uniform(3.0, 4.5)))


def make_light_curve(
    planet: Planet,
    *,
    seed: int,
    visit: int = 0,
    n_times: int = 187,
    noise: float = 1.0,
    drift: float = 3e-4,
    planet_id: int = 1,
    depth: np.ndarray | None = None,
) -> LightCurve:
    """One visit: drift 1 + f(t) g(lambda), white noise of 0.06-0.4 % per 2.4 min and wavelength."""
    rng = np.random.default_rng(seed + 10_000 * visit)
    step = 7.5 / n_times
    time = (np.arange(n_times) + 0.5) * step
    relative = np.zeros((n_times, 283))
    spectrum = planet.depth if depth is None else depth
    for k in range(5):
        moment = torch.as_tensor(time + (k - 2) / 5 * step)
        z = projected_separation(
            moment,
            mid_transit_time=planet.mid_time,
            period_d=planet.star["P"],
            semi_major_axis=planet.axis,
            impact_parameter=planet.impact,
        )
        relative += (
            transit_flux(
                z[:, None],
                torch.as_tensor(spectrum).sqrt(),
                torch.as_tensor(planet.u1),
                torch.as_tensor(planet.u2),
            ).numpy()
            / 5
        )
    t, x = np.linspace(-1, 1, n_times), np.linspace(-1, 1, 282)
    f = rng.normal(size=3) @ np.stack([t, t**2 - 1 / 3, t**3 - 0.6 * t]) * drift
    g = 1.0 + rng.normal(size=2) @ np.stack([x, x**2]) * 0.7
    trend = np.concatenate(
        [1.0 + (rng.normal(size=2) @ np.stack([t, t**2]) * drift)[:, None], 1.0 + f[:, None] * g], 1
    )
    photons = np.r_[2.6e5 * 10, np.interp(WAVELENGTH[1:], [1.95, 2.1, 3.0, 3.9], [9e4, 1.6e5, 5e4, 5e3])]
    sigma = np.r_[294e-6, np.sqrt(1.0 / photons[1:] + 8 * 2 * 13**2 / photons[1:] ** 2)]
    per_bin = np.r_[sigma[0] * np.sqrt(20 / 3600 / step), sigma[1:] * np.sqrt(4.8 / 3600 / step)] * max(
        noise, 1e-4
    )
    flux = photons * relative * trend * (1.0 + rng.normal(size=(n_times, 283)) * per_bin)
    return LightCurve(
        planet_id=planet_id,
        visit=visit,
        time=time,
        flux=flux.astype(np.float32),
        flux_err=np.broadcast_to((photons * per_bin).astype(np.float32), flux.shape).copy(),
        wavelength_um=WAVELENGTH,
        exposure_h=step,
        flags=(),
        info={},
    )


def with_flux(curve: LightCurve, flux: np.ndarray) -> LightCurve:
    """The same light curve with another flux (T, 283); what is NaN in it has no error either."""
    return replace(curve, flux=flux, flux_err=np.where(np.isnan(flux), np.nan, curve.flux_err))
