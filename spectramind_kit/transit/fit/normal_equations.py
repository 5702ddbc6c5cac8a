"""Normal equations of the light-curve model: every derivative, with the star's levels eliminated.

A nuisance changes ln(flux) by a field of (wavelength, time) times a function of wavelength: u1's slope in
wavelength is the field of u1 times x, a drift coefficient the field P_a(t)/drift times P_q(lambda). So one
small Gram matrix of the fields per wavelength, F x F, holds all sums over time, and what is left are sums
over wavelengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.linear_model import DEPTH, DRIFT, SensorModel, sensor_models
from spectramind_kit.transit.likelihood.parameters import SENSORS, SHARED, Grid, PlanetState
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch
from spectramind_kit.transit.settings import AnchorSettings


@dataclass(frozen=True)
class VisitEquations:
    """Sums of each visit: columns are the shared nuisances, then the visit's own. K_v columns."""

    information: Tensor  # (N, V, K_v, K_v)
    coupling: Tensor  # (N, V, W, K_v)
    depth_information: Tensor  # (N, V, W)
    depth_score: Tensor  # (N, V, W)
    score: Tensor  # (N, V, K_v)


@dataclass(frozen=True)
class NormalEquations:
    """chi^2 and its (halved) gradient and curvature at a state; K nuisances, W depths."""

    chi2: Tensor  # (N,)
    depth_information: Tensor  # (N, W)
    coupling: Tensor  # (N, W, K)
    nuisance_information: Tensor  # (N, K, K)
    depth_score: Tensor  # (N, W)
    nuisance_score: Tensor  # (N, K)
    visits: VisitEquations
    level: Tensor  # (N, V, W) flux of the star, e- per exposure
    residual: Tensor  # (N, V, W, T) (flux - model)/model, mean-free in time
    weight: Tensor  # (N, V, W, T) 1/variance of the residual, robust factor included
    base_weight: Tensor  # (N, V, W, T) without the robust factor


@dataclass(frozen=True)
class Columns:
    """The nuisances of one sensor: field ``field[k]`` times ``basis[k]`` is column ``place[k]`` of them."""

    field: Tensor  # (K,)
    basis: Tensor  # (K, L)
    place: Tensor  # (K,)

    @classmethod
    def of(
        cls, limb_basis: Tensor, drift_basis: Tensor, *, limb: int, clocks: int, drift: int, degree: int
    ) -> Columns:
        """Limb darkening begins at place ``limb``, the drift of ``degree`` in time at ``drift``."""
        terms, limb_terms, one = len(drift_basis), len(limb_basis), torch.ones_like(drift_basis[:1])
        field = [0, 1] + [2] * limb_terms + [3] * limb_terms + [4] * clocks
        field += [DRIFT + a for a in range(degree) for _ in range(terms)]
        place = [0, 1, *range(limb, limb + 2 * limb_terms), *range(SHARED, SHARED + clocks)]
        place += range(drift, drift + degree * terms)
        basis = torch.cat([one, one, limb_basis, limb_basis] + [one] * clocks + [drift_basis] * degree)
        index = dict(dtype=torch.long, device=basis.device)
        return cls(torch.tensor(field, **index), basis, torch.tensor(place, **index))

    def selector(self, n_fields: int) -> Tensor:
        """(K, L, F): the basis at the column's field, zero elsewhere."""
        hot = torch.nn.functional.one_hot(self.field, n_fields).to(self.basis.dtype)
        return self.basis[:, :, None] * hot[:, None, :]


def sensor_columns(state: PlanetState, grid: Grid) -> tuple[Columns, Columns]:
    """FGS1, whose clock is mid_time + time_offset, and AIRS-CH0."""
    one, own = torch.ones_like(grid.drift_basis[:1, :1]), SHARED + 2
    (airs_degree, terms), fgs1_degree = state.airs_drift.shape[-2:], state.fgs1_drift.shape[-1]
    return (
        Columns.of(one, one, limb=2, clocks=2, drift=own + airs_degree * terms, degree=fgs1_degree),
        Columns.of(grid.limb_basis, grid.drift_basis, limb=4, clocks=1, drift=own, degree=airs_degree),
    )


def visit_places(visit: int, n_own: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Places of a visit's columns (shared, then ``n_own`` of its own) among all nuisances of a planet."""
    start = SHARED + visit * n_own
    return torch.cat([torch.arange(SHARED, device=device), torch.arange(start, start + n_own, device=device)])


@dataclass(frozen=True)
class SensorSums:
    """One sensor: what sums over time leave, and the residuals. F fields; the last one is the residual."""

    gram: Tensor  # (N, V, L, F + 1, F + 1)
    scaled: Tensor  # (N, V, L, F + 1, T) the centred fields times root weight
    level: Tensor  # (N, V, L)
    residual: Tensor  # (N, V, L, T)
    weight: Tensor  # (N, V, L, T)
    base_weight: Tensor  # (N, V, L, T)


def sensor_sums(model: SensorModel, flux: Tensor, weight: Tensor, robust: Tensor) -> SensorSums:
    """Eliminate the star's level of every wavelength and multiply the fields with each other."""
    kept, relative = weight * robust, model.relative
    level = (kept * relative * flux).sum(-1) / (kept * relative.square()).sum(-1).clamp_min(1e-300)
    level = level.clamp_min(1e-6)
    expected = (relative * level[..., None]).clamp_min(1e-9)
    residual = flux / expected - 1.0
    base = weight * expected.square()
    total = base * robust
    fields = model.fields
    fields[..., -1, :] = residual
    mean = (fields @ total[..., None])[..., 0] / total.sum(-1).clamp_min(1e-300)[..., None]
    scaled = fields.sub_(mean[..., None]).mul_(total.sqrt()[..., None, :])
    return SensorSums(scaled @ scaled.mT, scaled, level, residual, total, base)


def _both_sums(
    state: PlanetState, data: LightCurveBatch, grid: Grid, settings: AnchorSettings, robust: Tensor
) -> list[SensorSums]:
    """FGS1 and AIRS-CH0."""
    models = sensor_models(state, data, grid, settings=settings)
    return [
        sensor_sums(model, *(values[:, :, part] for values in (data.flux, data.weight, robust)))
        for model, part in zip(models, SENSORS)
    ]


def assemble(
    state: PlanetState, data: LightCurveBatch, grid: Grid, *, settings: AnchorSettings, robust: Tensor
) -> NormalEquations:
    """Linearise the model around ``state`` for all planets and visits and accumulate the normal equations."""
    sums = _both_sums(state, data, grid, settings, robust)
    visits = _visit_equations(sums, sensor_columns(state, grid), SHARED + state.n_own)
    n, v, n_wave, _ = visits.coupling.shape
    total, new = SHARED + v * state.n_own, visits.score.new_zeros
    information, coupling, score = new(n, total, total), new(n, n_wave, total), new(n, total)
    for k in range(v):
        where = visit_places(k, state.n_own, device=score.device)
        information[:, where[:, None], where] += visits.information[:, k]
        coupling[:, :, where] += visits.coupling[:, k]
        score[:, where] += visits.score[:, k]
    whole = {
        name: torch.cat([getattr(s, name) for s in sums], dim=2)
        for name in ("level", "residual", "weight", "base_weight")
    }
    return NormalEquations(
        chi2=sum(s.gram[..., -1, -1].sum((1, 2)) for s in sums),
        depth_information=visits.depth_information.sum(1),
        coupling=coupling,
        nuisance_information=information,
        depth_score=visits.depth_score.sum(1),
        nuisance_score=score,
        visits=visits,
        **whole,
    )


def _visit_equations(
    sums: list[SensorSums], columns: tuple[Columns, Columns], n_columns: int
) -> VisitEquations:
    """Sums over the wavelengths of both sensors, at the places of a visit's columns."""
    n, v = sums[0].gram.shape[:2]
    new = sums[0].gram.new_zeros
    information, score, couplings = new(n, v, n_columns, n_columns), new(n, v, n_columns), []
    for s, c in zip(sums, columns):
        by_column = s.gram[:, :, :, c.field] * c.basis.T[..., None]  # (N, V, L, K, F + 1)
        # the sum over wavelengths, and over the field that each column stands for, as one product
        inner = torch.einsum("nvlkf,mlf->nvkm", by_column, c.selector(s.gram.shape[-1]))
        information[:, :, c.place[:, None], c.place] += inner
        score[:, :, c.place] += by_column[..., -1].sum(2)
        coupling = new(n, v, s.gram.shape[2], n_columns)
        coupling[..., c.place] = by_column[..., DEPTH]
        couplings.append(coupling)
    return VisitEquations(
        information=information,
        coupling=torch.cat(couplings, dim=2),
        score=score,
        depth_information=torch.cat([s.gram[..., DEPTH, DEPTH] for s in sums], dim=2),
        depth_score=torch.cat([s.gram[..., DEPTH, -1] for s in sums], dim=2),
    )


def white_columns(
    state: PlanetState, data: LightCurveBatch, grid: Grid, *, settings: AnchorSettings, robust: Tensor
) -> tuple[Tensor, Tensor]:
    """What an offset that all AIRS wavelengths have in common at one time shares with depths and nuisances.

    Weighted sums over wavelengths at every time: depths (N, V, T, W - 1), a visit's columns (N, V, T, K_v).
    """
    airs, own = _both_sums(state, data, grid, settings, robust)[1], sensor_columns(state, grid)[1]
    weighted = airs.scaled * airs.weight.sqrt()[..., None, :]  # (N, V, L, F + 1, T)
    summed = torch.einsum("nvlft,klf->nvtk", weighted, own.selector(weighted.shape[3]))
    columns = summed.new_zeros(*summed.shape[:3], SHARED + state.n_own)
    columns[..., own.place] = summed
    return weighted[..., DEPTH, :].mT, columns
