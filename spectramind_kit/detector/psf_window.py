"""FGS1: a flux per exposure from its PSF window, and where the PSF was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector.calibrate import interpolate_bad_pixels
from spectramind_kit.detector.foreground import Foreground, window_foreground
from spectramind_kit.detector.frames import PixelSelection
from spectramind_kit.detector.row_neighbours import RowNeighbours
from spectramind_kit.detector.settings import DetectorSettings


@dataclass(frozen=True)
class WindowFlux:
    """FGS1 exposure by exposure."""

    flux: np.ndarray  # (N,) e⁻ per exposure
    features: np.ndarray  # (N, K) of the pointing
    plan: WindowPlan

    @property
    def offset_px(self) -> np.ndarray:
        """(N, 2) offset of the PSF along rows and columns, pixels."""
        return self.features[:, :2]


@dataclass(frozen=True)
class WindowPlan:
    """What turns calibrated FGS1 exposures (N, G) into flux and pointing: one matrix."""

    projection: np.ndarray  # (G, 7) weights of the flux, then those of the six amplitudes of the fit
    predicted_noise: float  # σ of one exposure from shot and read noise, e⁻
    foreground: Foreground

    def apply(self, projected: np.ndarray, *, variation: np.ndarray | None = None) -> WindowFlux:
        """From exposures @ projection, (N, 7); ``variation`` (N,) of the foreground, e⁻ per pixel."""
        per_pixel = self.projection.sum(axis=0)
        values = projected - np.float32(self.foreground.level) * per_pixel
        if variation is not None:
            values -= np.outer(variation.astype(np.float32), per_pixel)
        relative = values[:, 2:] / values[:, 1:2]
        dr, dc = relative[:, 0], relative[:, 1]
        features = np.stack([dr, dc, dr * dr, dr * dc, dc * dc, *relative[:, 2:].T], axis=1)
        return WindowFlux(values[:, 0].astype(np.float64), features.astype(np.float64), self)


def plan_window(
    selection: PixelSelection,
    mean: np.ndarray,
    *,
    bad: np.ndarray,
    read_noise: np.ndarray,
    settings: DetectorSettings,
) -> WindowPlan:
    """From the mean of every selected pixel, (P,), bad pixels (P,) and the read noise of an exposure (P,).

    Each frame is read as F·(M + δr·∂M/∂r + δc·∂M/∂c + second derivatives), M the mean frame, by weighted
    least squares: one matrix product gives flux, centroid offsets and higher moments of all exposures. The
    flux is weighted by M over its variance (``optimal``), which leaves dead pixels out, or is the plain sum
    with dead pixels interpolated (``sum``).
    """
    shape, n = selection.grid, selection.n_grid
    place = selection.row.astype(float), selection.column.astype(float)
    foreground = window_foreground(mean, *place, n_window=n, bad=bad, kind=settings.foreground)
    lost = bad[:n].reshape(shape)
    image = interpolate_bad_pixels((mean[:n] - foreground.level).reshape(shape), lost)
    variance = np.maximum(image + foreground.level, 0.0) + read_noise[:n].reshape(shape) ** 2
    weight = np.where(lost, 0.0, 1.0 / variance)
    if settings.fgs1_extraction == "optimal":
        flux_weight = weight * np.maximum(image, 0.0)
        norm = (flux_weight * image).sum()
        flux_weight = flux_weight * (image.sum() / norm) if norm > 0 else np.ones(shape)
    else:
        flux_weight = _fold_fill(lost)
    design = np.stack([t.ravel() for t in _templates(image)], axis=1)
    weighted = weight.ravel()[:, None] * design
    gram = design.T @ weighted
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram)  # a window without a star still has a solution
    projection = np.concatenate([flux_weight.reshape(n, 1), weighted @ np.linalg.inv(gram)], axis=1)
    noise = float(np.sqrt((flux_weight**2 * variance).sum()))
    return WindowPlan(projection.astype(np.float32), noise, foreground)


def _templates(image: np.ndarray) -> list[np.ndarray]:
    """The mean PSF and its first and second derivatives along rows and columns."""
    dr, dc = np.gradient(image)
    drr, drc = np.gradient(dr)
    _, dcc = np.gradient(dc)
    return [image, -dr, -dc, drr, drc, dcc]


def _fold_fill(bad: np.ndarray) -> np.ndarray:
    """Weights of the plain sum over the window with bad pixels interpolated along rows: filling is linear, so
    it folds into the weights of the good pixels."""
    at, weight = RowNeighbours.of(bad), np.where(bad, 0.0, 1.0)
    for row, left, right, share in zip(*(v[~at.hopeless] for v in (at.row, at.left, at.right, at.weight))):
        weight[row, left] += 1.0 - share
        weight[row, right] += share
    return weight
