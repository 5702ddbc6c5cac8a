"""How large a visit's drift is: prior widths of its coefficients, re-estimated on the way of the fit."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from spectramind_kit.transit.fit.problem import PlanetInputs
from spectramind_kit.transit.likelihood.parameters import SHARED, PlanetState
from spectramind_kit.transit.settings import AnchorSettings

_PRIOR_POINTS = 2.0  # the population's width counts like so many coefficients of one visit
_HELD = 0.01  # of the smallest width: a degree that the drift may not have yet


def drift_widths(settings: AnchorSettings, degree: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Prior width of the drift's coefficients, degrees 1.. in time; slow changes are larger."""
    power = torch.arange(degree, dtype=torch.float64, device=device)
    return settings.drift_scatter * settings.drift_decay**power


def staged(planets: PlanetInputs, stage: Tensor, settings: AnchorSettings) -> PlanetInputs:
    """Drift widths with the degrees beyond ``stage`` (N,) held at (almost) nothing."""
    most = max(planets.airs_drift_sd.shape[2], planets.fgs1_drift_sd.shape[2])
    if bool((stage >= most).all()):
        return planets
    tiny = _HELD * settings.drift_scatter_floor
    return _where_free(planets, stage, planets.airs_drift_sd, planets.fgs1_drift_sd, otherwise=(tiny, tiny))


def learn_drift(
    planets: PlanetInputs, state: PlanetState, covariance: Tensor, *, settings: AnchorSettings, stage: Tensor
) -> PlanetInputs:
    """One EM step for the drift's size per degree in time, shrunk to the population's.

    covariance (N, K, K): of the nuisances; ``stage`` (N,): see `staged`.
    """
    _, visits, degree, terms = state.airs_drift.shape
    fgs1_degree = state.fgs1_drift.shape[2]
    own = covariance.diagonal(dim1=-2, dim2=-1)[:, SHARED:].unflatten(1, (visits, -1))[..., 2:]
    airs_variance, fgs1_variance = own.split([degree * terms, fgs1_degree], dim=-1)
    base = drift_widths(settings, max(degree, fgs1_degree), device=own.device).square()
    airs = (state.airs_drift.square() + airs_variance.unflatten(-1, (degree, terms))).sum(-1)
    airs = (airs + _PRIOR_POINTS * base[:degree]) / (terms + _PRIOR_POINTS)
    fgs1 = state.fgs1_drift.square() + fgs1_variance
    fgs1 = (fgs1 + _PRIOR_POINTS * base[:fgs1_degree]) / (1.0 + _PRIOR_POINTS)
    airs, fgs1 = (value.clamp_min(settings.drift_scatter_floor**2).sqrt() for value in (airs, fgs1))
    before = (planets.airs_drift_sd, planets.fgs1_drift_sd)
    return _where_free(planets, stage, airs[..., None], fgs1, otherwise=before)


def _where_free(
    planets: PlanetInputs,
    stage: Tensor,
    airs: Tensor,
    fgs1: Tensor,
    *,
    otherwise: tuple[Tensor | float, Tensor | float],
) -> PlanetInputs:
    """New widths for the degrees in time that a planet's drift may have by now."""

    def free(sd: Tensor) -> Tensor:  # (N, 1, A)
        return (torch.arange(sd.shape[2], device=stage.device) < stage[:, None])[:, None]

    airs_free, fgs1_free = free(planets.airs_drift_sd), free(planets.fgs1_drift_sd)
    return replace(
        planets,
        airs_drift_sd=torch.where(airs_free[..., None], airs, otherwise[0]),
        fgs1_drift_sd=torch.where(fgs1_free, fgs1, otherwise[1]),
    )
