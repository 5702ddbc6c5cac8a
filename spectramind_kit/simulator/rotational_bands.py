"""Absorption of a molecule between 1.6 and 4.1 µm, line by line, from its rotational and vibrational
constants.

A band's lines stand where a rigid rotor with a slightly larger upper state has them (Herzberg 1945; Bernath
2016, *Spectra of Atoms and Molecules*): P and R branches, a Q branch where the vibration allows one; levels
are filled by Boltzmann's law. Bands that start from excited vibrations are shifted by the anharmonicity and
share the band's strength by their population, so heat widens a band, fills its gaps and moves it red. Lines
are binned to 1 cm⁻¹, with Lorentzian wings.

Constants are those of the molecules, rounded; band strengths follow the band sums of HITRAN (Gordon et al.
2022, JQSRT 277, 107949) within a factor of about two; positions of the lines of asymmetric tops are right on
average and random line by line. So a spectrum has the scales and the temperature dependence of a real one:
boxes with two humps (CO2), single spikes (the Q branch of CH4 at 3.31 µm), combs, pseudo-continua. It
resembles a line list and does not replace one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np

WAVENUMBER_CM = np.arange(2400.0, 6300.0, 1.0)
TEMPERATURE_K = np.array([400.0, 600.0, 900.0, 1300.0, 1800.0, 2400.0, 3000.0])
_HC_OVER_K = 1.4387769  # cm K
_REACH = 1600  # cm⁻¹ on either side of a band's origin that its lines may reach
_UPPER_STATE = -0.006  # relative change of the rotational constant in the upper state
_HOTTEST_CM = 7000.0  # energy of the highest vibration that a band may start from
_WING_CM, _WING_REACH = 0.15, 400  # half width of a line (pressure and Doppler), and where its wing is cut
_LEAST = 1e-40  # cm²


@dataclass(frozen=True)
class Molecule:
    """Constants of one absorber; wavenumbers in cm⁻¹.

    A linear molecule has one rotational constant; a top has two: along its axis, and the mean of the others.
    """

    name: str
    rotation: tuple[float, ...]  # cm⁻¹: B, or (A, mean of B and C)
    vibrations: tuple[tuple[float, int], ...]  # (cm⁻¹, degeneracy): what a hot band starts from
    bands: tuple[tuple[float, float, bool], ...]  # (origin cm⁻¹, strength cm per molecule, has a Q branch)
    shift: float  # cm⁻¹ by which a band moves red for each quantum that it starts from
    scatter: float = 0.0  # cm⁻¹, random displacement of the lines (asymmetric tops), grows with √J

    @property
    def linear(self) -> bool:
        return len(self.rotation) == 1


MOLECULES = (
    Molecule(
        "H2O",
        (27.88, 11.9),
        ((1595, 1), (3657, 1), (3756, 1)),
        (
            (3756, 7.0e-18, True),
            (3657, 5.0e-19, True),
            (3152, 7.6e-20, True),
            (5331, 8.0e-19, True),
            (5235, 4.0e-20, True),
            (4667, 2.0e-21, True),
            (2161, 1.0e-20, True),
        ),
        12.0,
        scatter=5.0,
    ),
    Molecule(
        "CO2",
        (0.390,),
        ((667, 2), (1388, 1), (2349, 1)),
        (
            (3714.8, 1.5e-18, False),
            (3612.8, 1.0e-18, False),
            (4977.8, 3.5e-20, False),
            (4853.6, 8.0e-21, False),
            (5099.7, 1.1e-20, False),
            (2349.1, 9.2e-17, False),
            (6228.0, 4.5e-22, False),
        ),
        12.0,
    ),
    Molecule(
        "CH4",
        (5.24, 5.24),
        ((1306, 3), (1534, 2), (2917, 1), (3019, 3)),
        (
            (3019, 1.1e-17, True),
            (2830, 4.0e-19, True),
            (2612, 6.0e-20, True),
            (3065, 2.0e-19, True),
            (4223, 3.0e-19, True),
            (4319, 1.0e-18, True),
            (4540, 6.0e-19, True),
            (4123, 1.0e-19, True),
            (3871, 2.0e-20, True),
            (5861, 4.0e-20, True),
            (6005, 6.0e-20, True),
        ),
        9.0,
        scatter=0.4,
    ),
    Molecule("CO", (1.93,), ((2143, 1),), ((4260, 7.5e-20, False), (2143, 1.0e-17, False)), 26.0),
    Molecule(
        "NH3",
        (6.23, 9.94),
        ((968, 1), (1627, 2), (3336, 1), (3444, 2)),
        (
            (3444, 5.5e-19, True),
            (3336, 6.5e-19, True),
            (3216, 4.0e-20, True),
            (4435, 6.0e-19, True),
            (4320, 6.0e-20, True),
            (5052, 6.0e-19, True),
            (4955, 1.2e-19, True),
            (2540, 2.0e-20, True),
        ),
        14.0,
        scatter=1.0,
    ),
    Molecule(
        "HCN",
        (1.478,),
        ((712, 2), (2097, 1), (3311, 1)),
        (
            (3311, 9.5e-18, False),
            (4004, 2.5e-19, True),
            (4685, 6.0e-20, False),
            (5394, 1.0e-20, False),
            (2802, 7.0e-20, True),
        ),
        17.0,
    ),
    Molecule(
        "C2H2",
        (1.177,),
        ((612, 2), (730, 2), (1974, 1), (3289, 1)),
        (
            (3295, 8.0e-18, False),
            (3282, 8.0e-18, False),
            (4091, 1.0e-18, True),
            (3897, 1.2e-19, True),
            (2702, 6.0e-20, True),
            (5260, 4.0e-20, False),
        ),
        10.0,
    ),
    Molecule(
        "H2S",
        (10.3, 6.8),
        ((1183, 1), (2614, 1), (2628, 1)),
        (
            (3779, 7.0e-19, True),
            (2614, 3.0e-20, True),
            (2628, 2.0e-20, True),
            (5145, 1.3e-19, True),
            (4940, 2.0e-20, True),
        ),
        9.0,
        scatter=1.5,
    ),
    Molecule(
        "SO2",
        (2.03, 0.319),
        ((518, 1), (1151, 1), (1362, 1)),
        (
            (2499, 6.0e-19, False),
            (2715, 2.5e-20, False),
            (2295, 1.0e-19, False),
            (4054, 1.0e-20, False),
            (3630, 1.0e-20, False),
        ),
        6.0,
    ),
    Molecule(
        "PH3",
        (3.92, 4.45),
        ((992, 1), (1118, 2), (2321, 1), (2327, 2)),
        ((2327, 1.4e-17, True), (3310, 2.5e-19, True), (3426, 2.0e-19, True), (4565, 9.0e-20, True)),
        9.0,
        scatter=0.4,
    ),
    Molecule(
        "OCS",
        (0.203,),
        ((520, 2), (859, 1), (2062, 1)),
        (
            (2918, 1.0e-18, False),
            (2062, 8.0e-17, False),
            (2575, 9.0e-20, False),
            (3768, 3.0e-20, False),
            (4101, 4.0e-19, False),
            (4938, 6.0e-20, False),
        ),
        7.0,
    ),
    Molecule(
        "CH3Cl",
        (5.21, 0.443),
        ((733, 1), (1018, 2), (1355, 1), (1452, 2), (2968, 1)),
        (
            (2968, 2.2e-18, False),
            (3039, 3.0e-18, True),
            (2880, 7.0e-19, False),
            (4400, 2.5e-19, True),
            (4300, 2.0e-19, True),
        ),
        7.0,
    ),
)
NAMES = tuple(molecule.name for molecule in MOLECULES)


@cache
def log_cross_sections() -> np.ndarray:
    """(molecule, temperature, cell) ln σ, cm² per molecule, in the order of ``NAMES``, ``TEMPERATURE_K`` and
    ``WAVENUMBER_CM``. About half a second, once in a process."""
    return np.log([[cross_section(m, t) for t in TEMPERATURE_K] for m in MOLECULES])


def cross_section(molecule: Molecule, temperature_k: float) -> np.ndarray:
    """(cell,) cm² per molecule: the mean over each cell of 1 cm⁻¹."""
    rng = np.random.default_rng(sum(map(ord, molecule.name)))  # the molecule's own, always the same
    share, quanta = _vibrations(molecule, temperature_k)
    displaced = molecule.shift * np.sqrt(quanta) * 0.5 * rng.standard_normal(len(quanta))
    shape = {q: _rotation(molecule, temperature_k, q, rng) for q in (False, True)}
    line_grid = np.zeros(len(WAVENUMBER_CM) + 2 * _REACH)
    for origin, strength, has_q in molecule.bands:
        start = np.rint(origin - molecule.shift * quanta + displaced - WAVENUMBER_CM[0]).astype(int)
        for first, weight in zip(start, share):
            if -_REACH <= first < len(WAVENUMBER_CM) + _REACH - 1:
                low, high = max(first, 0), min(first + 2 * _REACH + 1, len(line_grid))
                line_grid[low:high] += strength * weight * shape[has_q][low - first : high - first]
    return np.maximum(_with_wings(line_grid)[_REACH:-_REACH], _LEAST)


def _vibrations(molecule: Molecule, temperature_k: float) -> tuple[np.ndarray, np.ndarray]:
    """Population and number of quanta of the 40 fullest vibrational states."""
    states = [(0.0, 1, 0)]
    for energy, degeneracy in molecule.vibrations:
        states = [
            (e + n * energy, g * comb(n + degeneracy - 1, n), q + n)
            for e, g, q in states
            for n in range(int((_HOTTEST_CM - e) // energy) + 1)
        ]
    energy, weight, quanta = map(np.array, zip(*states))
    population = weight * np.exp(-_HC_OVER_K * energy / temperature_k)
    fullest = np.argsort(-population, kind="stable")[:40]
    return population[fullest] / population[fullest].sum(), quanta[fullest]


def _rotation(molecule: Molecule, temperature_k: float, has_q: bool, rng: np.random.Generator) -> np.ndarray:
    """(2·_REACH + 1,) share of a band's strength in each cell around its origin."""
    rotation = molecule.rotation[-1]
    j = np.arange(0, min(180, int(6 + 3.5 * np.sqrt(temperature_k / _HC_OVER_K / rotation))))
    j, k = (j, np.zeros_like(j)) if molecule.linear else (a.ravel() for a in np.meshgrid(j, j, indexing="ij"))
    j, k = j[k <= j], k[k <= j]
    along = molecule.rotation[0] - rotation  # 0 for linear molecules and spherical tops
    energy = rotation * j * (j + 1) + along * k**2
    filled = (2 * j + 1) * np.where(k == 0, 1, 2) * np.exp(-_HC_OVER_K * energy / temperature_k)
    filled = filled / filled.sum()
    grow = _UPPER_STATE * rotation
    branches = [
        (2 * rotation * (j + 1) + grow * (j + 1) ** 2, (j + 1) / (2 * j + 1)),
        (-2 * rotation * j + grow * j**2, j / (2 * j + 1)),
    ]
    if has_q:
        branches = [(place, 2 / 3 * share) for place, share in branches]
        branches.append((grow * j * (j + 1), np.full(len(j), 1 / 3)))
    turns = (-1, 1) if has_q and not molecule.linear else (0,)  # a perpendicular band changes K by one
    scatter = molecule.scatter * np.sqrt(j + 1.0) * rng.standard_normal(len(j))
    shape = np.zeros(2 * _REACH + 1)
    for place, share in branches:
        for turn in turns:
            cell = np.rint(place + along * (2 * k * turn + turn**2) + scatter).astype(int) + _REACH
            inside = (cell >= 0) & (cell < len(shape))
            shape += np.bincount(cell[inside], (filled * share)[inside] / len(turns), minlength=len(shape))
    return shape


def _with_wings(lines: np.ndarray) -> np.ndarray:
    """Each cell's lines with the Lorentzian wings that reach the cells around it."""
    from scipy.signal import fftconvolve

    distance = np.arange(-_WING_REACH, _WING_REACH + 1.0)
    kernel = _WING_CM / np.pi / (distance**2 + _WING_CM**2)
    kernel[_WING_REACH] = 0.0
    kernel[_WING_REACH] = 1.0 - kernel.sum()
    return fftconvolve(lines, kernel, mode="same")
