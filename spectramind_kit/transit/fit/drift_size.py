"""How large a visit's drift is: prior widths of its coefficients, and their estimate on the way of the
fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.parameters import SHARED, PlanetState
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.transit.fit.problem import PlanetInputs

_PRIOR_POINTS = 2.0  # the population's width counts like so many coefficients of one visit


def drift_widths(settings: AnchorSettings, degree: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Prior width of the drift's coefficients, degrees 1.. in time: slow changes are larger than fast
    ones."""
    return settings.drift_scatter * settings.drift_decay ** torch.arange(
        degree, dtype=torch.float64, device=device
    )


def staged(planets: PlanetInputs, stage: Tensor, settings: AnchorSettings) -> PlanetInputs:
    """Drift widths with the degrees beyond ``stage`` (N,) held at (almost) nothing."""
    airs, fgs1 = planets.airs_drift_sd, planets.fgs1_drift_sd
    if bool((stage >= max(airs.shape[2], fgs1.shape[2])).all()):
        return planets
    tiny = 0.01 * settings.drift_scatter_floor
    return replace(
        planets,
        airs_drift_sd=torch.where(_free(airs.shape[2], stage)[:, None, :, None], airs, tiny),
        fgs1_drift_sd=torch.where(_free(fgs1.shape[2], stage)[:, None, :], fgs1, tiny),
    )


def learn_drift(
    planets: PlanetInputs, state: PlanetState, covariance: Tensor, *, settings: AnchorSettings, stage: Tensor
) -> PlanetInputs:
    """One EM step for the drift's size per degree in time, shrunk to the population's; ``covariance`` (N, K,
    K)."""
    _, visits, degree, terms = state.airs_drift.shape
    own = covariance.diagonal(dim1=-2, dim2=-1)[:, SHARED:].unflatten(1, (visits, -1))[..., 2:]
    airs_variance, fgs1_variance = (
        own[..., : degree * terms].unflatten(-1, (degree, terms)),
        own[..., degree * terms :],
    )
    base = drift_widths(settings, max(degree, state.fgs1_drift.shape[2]), device=own.device).square()
    airs = ((state.airs_drift.square() + airs_variance).sum(-1) + _PRIOR_POINTS * base[:degree]) / (
        terms + _PRIOR_POINTS
    )
    fgs1_base = base[: state.fgs1_drift.shape[2]]
    fgs1 = (state.fgs1_drift.square() + fgs1_variance + _PRIOR_POINTS * fgs1_base) / (1.0 + _PRIOR_POINTS)
    airs, fgs1 = (value.clamp_min(settings.drift_scatter_floor**2).sqrt() for value in (airs, fgs1))
    return replace(
        planets,
        airs_drift_sd=torch.where(
            _free(degree, stage)[:, None, :, None], airs[..., None], planets.airs_drift_sd
        ),
        fgs1_drift_sd=torch.where(_free(fgs1.shape[2], stage)[:, None, :], fgs1, planets.fgs1_drift_sd),
    )


def _free(degree: int, stage: Tensor) -> Tensor:
    """(N, degree): the degrees in time that a planet's drift may have by now."""
    return torch.arange(degree, device=stage.device) < stage[:, None]
