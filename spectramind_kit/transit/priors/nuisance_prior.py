"""Priors on what is not the spectrum: orbit, limb darkening, sensor clocks, drift.

`NuisancePrior()` is the default of the settings. `learn_nuisances` (its own file) replaces means and widths
by those of the train planets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.likelihood.parameters import ORBIT_NAMES, SHARED
from spectramind_kit.transit.priors.orbit_point import OrbitPoint
from spectramind_kit.transit.settings import AnchorSettings

_TAIL_SHARE = 0.05  # prior share of planets whose catalogue orbit is far off: docs/decisions.md D14
TEMPERATURE_PIVOT_K, TEMPERATURE_UNIT_K = 5800.0, 500.0
_FROM_SETTINGS = ("axis_scatter", "axis_tail", "impact_scatter", "impact_tail", "time_offset_scatter")
LIMB = slice(len(ORBIT_NAMES), SHARED)  # limb darkening among the nuisances


@dataclass(frozen=True)
class NuisancePrior:
    """Gaussian priors, with a wide second component for the orbit. None: the measurement's default.

    The defaults of the widths are those of `AnchorSettings`.
    """

    axis_offset: float = 0.0  # mean of ln(a_fit / a_table)
    kepler_share: float = 0.0  # weight of Kepler's axis against the table's, in ln
    axis_scatter: float = AnchorSettings.axis_scatter  # of ln a
    axis_tail: float = AnchorSettings.axis_tail
    impact_scatter: float = AnchorSettings.impact_scatter  # of b
    impact_tail: float = AnchorSettings.impact_tail
    time_offset_mean: float = 0.0  # h
    time_offset_scatter: float = AnchorSettings.time_offset_scatter  # h
    limb_mean: np.ndarray | None = None  # (2, 8) at 5800 K, and the slope per 500 K
    limb_covariance: np.ndarray | None = None  # (8, 8)
    drift_mean: np.ndarray | None = None  # (D,) of one visit, in the order of `parameters.visit_names`
    drift_covariance: np.ndarray | None = None  # (D, D)
    learned_from: int = 0  # planets
    notes: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: AnchorSettings | None) -> NuisancePrior:
        """Before any label is seen; None: the default settings."""
        return cls(**{name: getattr(settings or AnchorSettings(), name) for name in _FROM_SETTINGS})

    def limb_at(self, temperature_k: float) -> np.ndarray | None:
        """Mean limb-darkening coefficients (8,) of a star, in the order of LIMB_NAMES."""
        if self.limb_mean is None:
            return None
        return self.limb_mean[0] + warmth(temperature_k) * self.limb_mean[1]

    def orbit_terms(self, point: OrbitPoint, *, at: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Precision (..., 2, 2) and pull (..., 2) in (ln W, b^2), and -2 log density but a constant.

        The pull is minus the gradient of chi^2/2 at the reference point. ``at`` (..., 2) is a better guess of
        the orbit (relative to the reference) at which the two-component priors are turned into Gaussians.
        """
        slope = point.log_axis_slope()
        shift = torch.zeros_like(slope) if at is None else at
        table, kepler, share = point.catalogue_axis.log(), point.kepler_axis.log(), self.kepler_share
        gap = point.log_axis - ((1.0 - share) * table + share * kepler + self.axis_offset)
        weight = _mixture_precision(gap + (slope * shift).sum(-1), self.axis_scatter, self.axis_tail)
        precision = weight[..., None, None] * slope[..., :, None] * slope[..., None, :]
        pull = -(weight * gap)[..., None] * slope
        catalogue2 = point.catalogue_impact.square()
        gap2 = point.impact2 - catalogue2
        # sd of b^2 when b has sd: 2 b sd, and sd^2 where b vanishes
        widths = (self.impact_scatter, self.impact_tail)
        core, tail = (sd * (4.0 * catalogue2 + 2.0 * sd**2).sqrt() for sd in widths)
        weight2 = _mixture_precision(gap2 + shift[..., 1], core, tail)
        precision[..., 1, 1] += weight2
        pull[..., 1] -= weight2 * gap2
        chi2 = _mixture_chi2(gap, self.axis_scatter, self.axis_tail) + _mixture_chi2(gap2, core, tail)
        return precision, pull, chi2

    def terms(
        self, table: NuisanceTable, *, at: Tensor | None = None, drift_scale: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Precision (N, K, K) and pull (N, K) of all nuisances of some measurements, at their references.

        ``at`` (N, K): a better guess of the nuisances relative to the reference, for the orbit's wide tails.
        ``drift_scale``: these planets' drift in units of the prior's width.
        """
        mean, precision = table.mean.clone(), torch.diag_embed(1.0 / table.sd.square())
        clocks = _places(table.names, "time_offset_")
        mean[:, clocks], precision[:, clocks, clocks] = (
            self.time_offset_mean,
            1.0 / self.time_offset_scatter**2,
        )
        if self.limb_covariance is not None:
            precision[:, LIMB, LIMB] = torch.as_tensor(np.linalg.inv(self.limb_covariance))
        if self.limb_mean is not None:
            mean[:, LIMB] = torch.as_tensor(np.array([self.limb_at(float(t)) for t in table.temperature_k]))
        if self.drift_covariance is not None:
            drift_precision = torch.as_tensor(np.linalg.inv(self.drift_covariance)) / drift_scale**2
            for visit in table.visits:
                places = torch.as_tensor(drift_places(table.names, visit))
                if len(places) == len(drift_precision):
                    precision[:, places[:, None], places] = drift_precision
                    if self.drift_mean is not None:
                        mean[:, places] = torch.as_tensor(self.drift_mean)
        precision[:, :2], precision[:, :, :2] = 0.0, 0.0
        pull = (precision @ (mean - table.reference)[..., None])[..., 0]
        orbit_at = None if at is None else at[:, :2]
        precision[:, :2, :2], pull[:, :2], _ = self.orbit_terms(table.orbit, at=orbit_at)
        return precision, pull


@dataclass(frozen=True)
class NuisanceTable:
    """What priors need to know of N measurements that have the same nuisances, K of them."""

    names: tuple[str, ...]
    visits: tuple[int, ...]
    reference: Tensor  # (N, K)
    mean: Tensor  # (N, K) default prior; the orbit's own is made from `orbit`
    sd: Tensor  # (N, K)
    temperature_k: Tensor  # (N,)
    orbit: OrbitPoint

    @classmethod
    def of(cls, measurements: Sequence[DepthMeasurement]) -> NuisanceTable:
        def stacked(name: str) -> Tensor:
            return torch.as_tensor(np.array([getattr(m, name) for m in measurements]))

        first = measurements[0]
        temperature = [float(m.star.get("Ts", TEMPERATURE_PIVOT_K)) for m in measurements]
        return cls(
            names=first.nuisance_names,
            visits=tuple(v.visit for v in first.visits),
            reference=stacked("nuisance_reference"),
            mean=stacked("nuisance_mean"),
            sd=stacked("nuisance_sd"),
            temperature_k=torch.tensor(temperature, dtype=torch.float64),
            orbit=OrbitPoint.stacked([m.orbit for m in measurements]),
        )


def warmth(temperature_k: np.ndarray | float) -> np.ndarray:
    """The star's temperature where limb darkening is taken as linear in it, within 3800 … 7300 K."""
    return np.clip((temperature_k - TEMPERATURE_PIVOT_K) / TEMPERATURE_UNIT_K, -4.0, 3.0)


def drift_places(names: Sequence[str], visit: int) -> np.ndarray:
    """Positions (D,) of one visit's drift coefficients among the nuisances."""
    return _places(names, f"airs_drift_{visit}_", f"fgs1_drift_{visit}_")


def clock_places(names: Sequence[str], visit: int) -> np.ndarray:
    """Position (1,) of one visit's time offset of FGS1."""
    return np.array([names.index(f"time_offset_{visit}")])


def _places(names: Sequence[str], *starts: str) -> np.ndarray:
    return np.array([k for k, name in enumerate(names) if name.startswith(starts)], dtype=int)


def _mixture_logs(gap: Tensor, core: Tensor | float, tail: Tensor | float) -> tuple[Tensor, Tensor]:
    """Log densities of a mixture's two components, shares included, but a constant."""
    core, tail = (torch.as_tensor(sd, dtype=gap.dtype, device=gap.device) for sd in (core, tail))
    return (
        math.log(1.0 - _TAIL_SHARE) - core.log() - 0.5 * (gap / core).square(),
        math.log(_TAIL_SHARE) - tail.log() - 0.5 * (gap / tail).square(),
    )


def _mixture_precision(gap: Tensor, core: Tensor | float, tail: Tensor | float) -> Tensor:
    """Precision of the Gaussian that has the slope of a two-component mixture at ``gap``."""
    log_core, log_tail = _mixture_logs(gap, core, tail)
    share = torch.sigmoid(log_core - log_tail)
    return share / core**2 + (1.0 - share) / tail**2


def _mixture_chi2(gap: Tensor, core: Tensor | float, tail: Tensor | float) -> Tensor:
    """-2 log of the mixture, zero at its middle."""

    def log_density(at: Tensor) -> Tensor:
        return torch.logaddexp(*_mixture_logs(at, core, tail))

    return 2.0 * (log_density(torch.zeros_like(gap)) - log_density(gap))
