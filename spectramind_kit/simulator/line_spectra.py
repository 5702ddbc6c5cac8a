"""Transmission spectra of the world ``real``: twelve absorbers line by line, absorbers that nobody knows,
clouds at any height or over a part of the limb, hazes, and amplitudes as wide as those of the competition's
labels.

Where the slant optical depth reaches 0.56 the atmosphere turns opaque (Lecavelier des Etangs et al. 2008, A&A
481, L83): z(λ) = H ln(P₀ σ(λ) √(2πR/H) / (0.56 k T)), with H = kT/(μ g); a planet's depth is (R₀ + z(λ))² /
R★². Nothing here is drawn from or fitted to real spectra: only their amplitudes are (docs/decisions.md D7).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from spectramind_kit.simulator.constants import AIRS, R_JUP_M
from spectramind_kit.simulator.rotational_bands import NAMES, TEMPERATURE_K, WAVENUMBER_CM, log_cross_sections
from spectramind_kit.simulator.spectra import REFERENCE_PA, opaque_pressure, rayleigh_cm2, scale_height_m
from spectramind_kit.simulator.stars_planets import Planet
from spectramind_kit.simulator.wavelengths import grid_wavelengths

UNKNOWN_SHARE = 0.3  # of the planets carry an absorber that no list knows
_COLLISIONS_CM2, _COLLISIONS_CM, _COLLISIONS_WIDTH = (
    -26.3,
    4300.0,
    450.0,
)  # H2–H2: log10, centre and width in cm⁻¹
_BLUR_COLUMNS = 0.8  # the spectrograph's resolution, standard deviation in columns
# log10 abundance of each absorber: at solar metals in hot planets, its change in cool ones, per dex of
# metals, and per dex of C/O. Chemistry says little more than the sign of these; the scatter says the rest.
_ABUNDANCE = {
    "H2O": (-3.4, 0.0, 0.5, -0.35),
    "CO2": (-5.5, 0.0, 1.5, 0.0),
    "CH4": (-6.0, 2.5, 0.5, 1.0),
    "CO": (-3.4, -1.2, 0.5, 0.0),
    "NH3": (-6.5, 1.5, 0.5, 0.0),
    "HCN": (-6.0, 0.0, 0.5, 0.8),
    "C2H2": (-6.5, 0.0, 0.5, 1.0),
    "H2S": (-5.0, 0.0, 0.5, 0.0),
    "SO2": (-6.0, 0.0, 1.3, 0.0),
    "PH3": (-6.5, 0.8, 0.5, 0.0),
    "OCS": (-7.0, 0.0, 0.5, 0.0),
    "CH3Cl": (-7.5, 0.0, 0.5, 0.0),
}
_ABUNDANCE_SCATTER, _ABSENT_SHARE, _ABSENT = 1.5, 0.3, -4.0  # dex; some absorbers are all but absent
_LOG_STD = (np.log(50e-6), 1.85)  # within a spectrum: median 50 ppm, 5 … 95 % 2 … 700 ppm
_LARGEST_STD = 3e-3
_STD_FROM_PHYSICS = 0.6  # correlation of the drawn amplitude with that of the model atmosphere
_PHYSICAL_LOG_STD = (np.log(95e-6), 1.2)  # the model's own, over the simulated planets


@dataclass(frozen=True)
class LineAtmosphere:
    """An isothermal atmosphere; abundances in the order of `rotational_bands.NAMES`."""

    mean_weight: float  # hydrogen masses
    temperature_k: float
    log_abundances: tuple[float, ...]  # log10 of the mixing ratios
    haze: float  # times the scattering of H2
    haze_slope: float  # exponent of the wavelength; −4 for small grains
    optical_log_cm2: float  # log10 of the cross-section that FGS1 sees: alkali wings, TiO, VO, or little
    cloud_pa: float  # top of an opaque grey deck, Pa
    cloud_share: float  # of the limb that the deck covers
    unknown: tuple[float, ...]  # (excess over the known in ln σ, how far it hides the known); empty for none


def draw_atmosphere(rng: np.random.Generator, planet: Planet) -> LineAtmosphere:
    """Abundances scatter by more than a factor of ten around chemistry, and some absorbers are absent."""
    temperature = planet.equilibrium_temperature_k * float(np.exp(rng.normal(-0.1, 0.2)))
    temperature = float(np.clip(temperature, TEMPERATURE_K[0], TEMPERATURE_K[-1]))
    cool = 1.0 / (1.0 + np.exp((temperature - 1000.0) / 130.0))
    metals, carbon = float(rng.normal(0.5, 0.7)), float(rng.normal(0.0, 0.6))
    table = np.array([_ABUNDANCE[name] for name in NAMES])
    abundances = table @ np.array([1.0, cool, metals, carbon]) + rng.normal(
        0.0, _ABUNDANCE_SCATTER, len(NAMES)
    )
    abundances = np.clip(abundances, -12.0, -1.3) + _ABSENT * (rng.random(len(NAMES)) < _ABSENT_SHARE)
    cloudy, patchy, odd = rng.random(3) < (0.75, 0.45, UNKNOWN_SHARE)
    return LineAtmosphere(
        mean_weight=2.3 + 3.0 * max(0.0, metals - 0.9),
        temperature_k=temperature,
        log_abundances=tuple(abundances.tolist()),
        haze=float(10.0 ** rng.normal(1.5, 1.8)),
        haze_slope=float(rng.uniform(-6.0, -1.0)),
        optical_log_cm2=float(rng.normal(-24.5, 1.8)),
        cloud_pa=float(10.0 ** rng.uniform(0.5, 5.5)) if cloudy else 10.0 * REFERENCE_PA,
        cloud_share=float(rng.uniform(0.2, 0.95)) if patchy else 1.0,
        unknown=(float(rng.normal(0.5, 1.0)), float(rng.uniform(-7.0, 0.0))) if odd else (),
    )


def transmission_depth(
    planet: Planet, atmosphere: LineAtmosphere, unknown: np.ndarray | None = None
) -> np.ndarray:
    """(357,) depth (Rp/Rs)² on the simulator's grid, its mean over the cut of AIRS-CH0 at ``planet.depth``.

    ``unknown`` (cell,) is ln σ of an absorber without a name, about its own middle.
    """
    cells, columns, count = _cells_of_columns()
    sigma = _known_cross_section(atmosphere)[cells]
    if unknown is not None:
        excess, hidden = atmosphere.unknown
        middle = np.median(np.log(sigma))
        sigma = sigma * np.exp(hidden) + np.exp(middle + excess + unknown[cells])
    wavelength = 1e4 / WAVENUMBER_CM[cells]
    sigma = np.append(sigma, 10.0**atmosphere.optical_log_cm2)
    sigma = sigma + atmosphere.haze * rayleigh_cm2(np.append(wavelength, 0.7), atmosphere.haze_slope)
    pressure = opaque_pressure(planet, atmosphere, 1e-4 * sigma)
    clear = np.log(REFERENCE_PA / pressure)
    deck = np.log(REFERENCE_PA / atmosphere.cloud_pa)
    cloudy = np.logaddexp(2 * clear, 2 * deck) / 2
    height = atmosphere.cloud_share * cloudy + (1 - atmosphere.cloud_share) * clear
    airs = _blurred(np.bincount(columns, height[:-1], minlength=len(count)) / count)
    height = np.append(height[-1], airs)
    relative = scale_height_m(planet, atmosphere) / (planet.radius_jup * R_JUP_M)
    return planet.depth * (1.0 + relative * (height - height[1:][AIRS.cut].mean())) ** 2


def draw_spectrum(
    rng: np.random.Generator, planet: Planet, wavelength_um: np.ndarray
) -> tuple[np.ndarray, LineAtmosphere]:
    """The label (357,) on the simulator's grid, FGS1 first, and the atmosphere that made it.

    The spread within a spectrum is drawn as wide as that of real labels, correlated with the model's own;
    FGS1's offset grows and shrinks with it.
    """
    atmosphere = draw_atmosphere(rng, planet)
    unknown = _unknown_absorber(rng) if atmosphere.unknown else None
    depth = transmission_depth(planet, atmosphere, unknown)
    airs = depth[1:][AIRS.cut]
    level, spread = airs.mean(), airs.std()
    own = (np.log(spread) - _PHYSICAL_LOG_STD[0]) / _PHYSICAL_LOG_STD[1]
    score = _STD_FROM_PHYSICS * own + np.sqrt(1.0 - _STD_FROM_PHYSICS**2) * rng.standard_normal()
    target = min(float(np.exp(_LOG_STD[0] + _LOG_STD[1] * score)), _LARGEST_STD, 0.1 * planet.depth)
    return np.maximum(planet.depth + target / spread * (depth - level), 0.3 * planet.depth), atmosphere


def _known_cross_section(atmosphere: LineAtmosphere) -> np.ndarray:
    """(cell,) cm² per molecule of the gas: the listed absorbers at its temperature, and collisions of H2."""
    place = np.interp(np.log(atmosphere.temperature_k), np.log(TEMPERATURE_K), np.arange(len(TEMPERATURE_K)))
    low = min(int(place), len(TEMPERATURE_K) - 2)
    table = log_cross_sections()
    known = (1.0 - place + low) * table[:, low] + (place - low) * table[:, low + 1]
    known = np.exp(known + np.log(10.0) * np.array(atmosphere.log_abundances)[:, None]).sum(0)
    distance = (WAVENUMBER_CM - _COLLISIONS_CM) / _COLLISIONS_WIDTH
    return known + 10.0**_COLLISIONS_CM2 * np.exp(-0.5 * distance**2)


def _unknown_absorber(rng: np.random.Generator) -> np.ndarray:
    """(cell,) ln σ: the sum of two random processes in wavelength, with scales between 0.01 and 0.6 µm."""
    knots = np.linspace(1.55, 4.2, 800)
    total = np.zeros(len(knots))
    for _ in range(2):
        scale = float(np.exp(rng.uniform(np.log(0.01), np.log(0.6))))
        size = rng.uniform(0.3, 2.5) * min(1.0, (scale / 0.05) ** 0.5)
        frequency, phase = rng.standard_t(3, size=60) / scale, rng.uniform(0.0, 2.0 * np.pi, 60)
        total += size * np.sqrt(2.0 / 60) * np.cos(np.outer(knots, frequency) + phase).sum(1)
    return np.interp(1e4 / WAVENUMBER_CM, knots, total)


@cache
def _cells_of_columns() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells that fall on the detector (n,), the AIRS column of each (n,), and how many a column has
    (356,)."""
    wavelength = grid_wavelengths()[1:]  # descending
    middle = (wavelength[1:] + wavelength[:-1]) / 2
    edges = np.concatenate([[2 * wavelength[0] - middle[0]], middle, [2 * wavelength[-1] - middle[-1]]])
    column = len(wavelength) - np.digitize(1e4 / WAVENUMBER_CM, edges[::-1])
    cells = np.flatnonzero((column >= 0) & (column < len(wavelength)))
    return cells, column[cells], np.bincount(column[cells], minlength=len(wavelength))


def _blurred(columns: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(columns, _BLUR_COLUMNS, mode="nearest")
