"""When a transit happens and how deep it is, from the white light curve alone: a trapezoid, nothing else.

No table, no limb darkening, nothing that has to converge: the timing of the direct prediction and the flat
depth of the baseline.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve

LEAST_STEPS = 12
_DRIFT_DEGREE = 2
# of the transit's length; real ones are 18 … 42 min of 2.5 … 6 h (docs/decisions.md D7)
_INGRESSES = (0.08, 0.14, 0.22, 0.35)
_CENTRES, _LENGTHS = 61, 28
_LENGTH_RANGE = (0.06, 1.2)  # of the visit
_LEAST_POWER = 1e-3  # of a step's, after the drift: a trapezoid that is almost a parabola has none
_ROUNDS, _FINER = 4, 0.35  # finer grids of 7 x 7 nodes around the best one


class WhiteTransit(NamedTuple):
    """The best trapezoid times a quadratic drift."""

    mid_time: float  # h, from the start of the visit
    length: float  # h, between the middles of ingress and egress
    ingress: float  # length of the ingress, in units of ``length``
    depth: float  # dimensionless, > 0

    def shape(self, time: np.ndarray) -> np.ndarray:
        """(T,) in [-1, 0]: (relative flux − 1) / depth."""
        return -_trapezoid(time, self.mid_time, self.length, self.ingress)


def find_white_transit(time: np.ndarray, flux: np.ndarray) -> WhiteTransit | None:
    """The trapezoid that explains most of a white light curve (T,); NaN marks steps that are missing.

    Centre, length and ingress are searched on a grid that reaches to both ends of the visit, then on finer
    ones around its best node; depth and drift follow by linear least squares (flux = drift −
    depth·trapezoid·level). None for fewer than 12 usable steps, or where nothing lowers the flux.
    """
    good = np.isfinite(flux) & np.isfinite(time)
    if good.sum() < LEAST_STEPS or not np.median(flux[good]) > 0:
        return None
    time = np.ascontiguousarray(time[good], dtype=np.float64)
    flux = np.asarray(flux, dtype=np.float64)[good] / np.median(flux[good])
    grid = _grid(time.tobytes())
    rest = flux - grid.basis @ (grid.basis.T @ flux)
    gain = _gains(grid.shapes @ rest, grid.power)
    best = int(np.argmax(gain))
    if not np.isfinite(gain[best]):
        return None
    centre, length = grid.nodes[best]
    steps = np.array([grid.centre_step, 0.12 * length])
    around, ingresses = np.linspace(-1.0, 1.0, 7), np.array(_INGRESSES)
    found = None
    for _ in range(_ROUNDS):
        nodes = (g.ravel()[:, None] for g in np.meshgrid(around, around, ingresses, indexing="ij"))
        moved, longer, ingress = nodes
        centres, lengths = centre + steps[0] * moved, length + steps[1] * longer
        shapes = _trapezoid(time, centres, lengths, ingress)
        shapes -= (shapes @ grid.basis) @ grid.basis.T
        power, amplitude = np.einsum("gt,gt->g", shapes, shapes), shapes @ rest
        k = int(np.argmax(_gains(amplitude, power)))
        centre, length = float(centres[k, 0]), float(lengths[k, 0])
        depth = float(-amplitude[k] / max(power[k], 1e-12))
        found = WhiteTransit(centre, length, float(ingress[k, 0]), depth)
        steps, ingresses = steps * _FINER, found.ingress * np.array([0.85, 1.0, 1.18])
    return found if found is not None and found.depth > 0 else None


def white_curve(light_curve: LightCurve) -> np.ndarray:
    """(T,) white flux of AIRS-CH0; of FGS1 where that is missing altogether."""
    white = np.asarray(light_curve.white_airs, dtype=np.float64)
    return white if np.isfinite(white).any() else np.asarray(light_curve.fgs1, dtype=np.float64)


def drift_basis(time: np.ndarray) -> np.ndarray:
    """(T, 3) constant, linear and quadratic in time, which runs from -1 to 1."""
    x = 2.0 * (time - 0.5 * (time[0] + time[-1])) / max(float(np.ptp(time)), 1e-9)
    return np.stack([x**k for k in range(_DRIFT_DEGREE + 1)], axis=1)


class _Grid(NamedTuple):
    basis: np.ndarray  # (T, 3) orthonormal
    shapes: np.ndarray  # (G, T) trapezoids less what a drift explains
    power: np.ndarray  # (G,) their squares
    nodes: np.ndarray  # (G, 2) centre and length, h
    centre_step: float  # h


@lru_cache(maxsize=8)
def _grid(time_bytes: bytes) -> _Grid:
    """The first grid of one time axis, which most visits share."""
    time = np.frombuffer(time_bytes)
    basis, _ = np.linalg.qr(drift_basis(time))
    centres = np.linspace(time.min(), time.max(), _CENTRES)
    lengths = np.geomspace(*_LENGTH_RANGE, _LENGTHS) * np.ptp(time)
    centre, length = (grid.ravel()[:, None] for grid in np.meshgrid(centres, lengths, indexing="ij"))
    shapes = _trapezoid(time, centre, length, _INGRESSES[1])
    shapes -= (shapes @ basis) @ basis.T
    power = np.einsum("gt,gt->g", shapes, shapes)
    power[power < _LEAST_POWER * len(time)] = 0.0
    nodes = np.concatenate([centre, length], axis=1)
    return _Grid(basis, shapes.astype(np.float32), power, nodes, float(centres[1] - centres[0]))


def _trapezoid(time: np.ndarray, centre, length, ingress) -> np.ndarray:
    """1 inside, 0 outside."""
    return np.clip((0.5 * length - np.abs(time - centre)) / (ingress * length) + 0.5, 0.0, 1.0)


def _gains(amplitude: np.ndarray, power: np.ndarray) -> np.ndarray:
    """What each shape explains; a transit lowers the flux."""
    gain = np.square(amplitude) / np.maximum(power, 1e-12)
    return np.where((amplitude < 0) & (power > 0), gain, -np.inf)
