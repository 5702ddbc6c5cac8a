from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from spectramind_kit.transit.fit.normal_equations import assemble, white_columns
from spectramind_kit.transit.likelihood.linear_model import sensor_models
from spectramind_kit.transit.likelihood.parameters import SHARED, Grid, PlanetState, nuisances
from spectramind_kit.transit.likelihood.planet_batch import LightCurveBatch
from spectramind_kit.transit.settings import AnchorSettings

torch.set_num_threads(1)
N, V, T, W = 2, 2, 45, 9
DEGREE, TERMS = 3, 3
SETTINGS = AnchorSettings()


def _case() -> tuple[PlanetState, LightCurveBatch, Grid, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    wavelength = torch.cat([torch.tensor([0.7]), torch.linspace(1.95, 3.9, W - 1)]).double()
    grid = Grid.build(wavelength, degree=TERMS - 1, low=1.95, high=3.9)
    limb = torch.tensor([0.48, 0.12, 0.12, -0.03, 0.01, 0.13, -0.02, 0.005], dtype=torch.float64)
    state = PlanetState(
        period_d=torch.tensor([4.0, 5.0], dtype=torch.float64),
        reach=torch.tensor([1.11, 1.12], dtype=torch.float64),
        log_duration=torch.tensor([1.8, 2.0], dtype=torch.float64).log(),
        impact2=torch.tensor([0.1, 0.3], dtype=torch.float64),
        limb=limb.repeat(N, 1),
        depth=0.012 + 2e-4 * noise(N, W),
        mid_time=3.7 + 0.2 * noise(N, V),
        time_offset=0.01 * noise(N, V),
        airs_drift=1e-3 * noise(N, V, DEGREE, TERMS),
        fgs1_drift=1e-3 * noise(N, V, DEGREE),
    )
    time = ((torch.arange(T) + 0.5) * 7.5 / T).double().expand(N, V, T)
    level = 1e4 * (1.0 + 0.1 * noise(N, V, W, 1).abs())
    data = LightCurveBatch(
        time=time,
        flux=level * (1.0 + 2e-3 * noise(N, V, W, T)),
        weight=1.0 / (10.0 + noise(N, V, W, T).abs()) ** 2,
        exposure_h=torch.full((N, V), 7.5 / T, dtype=torch.float64),
        start=time[..., 0],
        end=time[..., -1],
    )
    robust = (0.5 + torch.rand(N, V, W, T, generator=generator, dtype=torch.float64)).clamp_max(1.0)
    data.weight[0, 1, 3, :20] = 0.0
    return state, data, grid, robust


def _with(state: PlanetState, value: torch.Tensor) -> PlanetState:
    """The state that has the nuisances ``value`` (N, K)."""
    own = value[:, SHARED:].reshape(N, V, -1)
    n = DEGREE * TERMS
    return replace(
        state,
        log_duration=value[:, 0],
        impact2=value[:, 1],
        limb=value[:, 2:SHARED],
        mid_time=own[..., 0],
        time_offset=own[..., 1],
        airs_drift=own[..., 2 : 2 + n].reshape(N, V, DEGREE, TERMS),
        fgs1_drift=own[..., 2 + n :],
    )


def _log_flux(state: PlanetState, data: LightCurveBatch, grid: Grid) -> torch.Tensor:
    """(N, V, W, T)"""
    return torch.cat([m.relative for m in sensor_models(state, data, grid, settings=SETTINGS)], dim=2).log()


def test_equal_a_dense_design_matrix() -> None:
    """Guards against a wrong derivative, a column at a wrong place, or a level that is not eliminated:
    numerical derivatives of the model, one dense column each, give the same sums."""
    state, data, grid, robust = _case()
    got = assemble(state, data, grid, settings=SETTINGS, robust=robust)
    value, step = nuisances(state), 1e-5
    columns = []
    for k in range(value.shape[1]):
        up, down = value.clone(), value.clone()
        up[:, k] += step
        down[:, k] -= step
        columns.append(
            (_log_flux(_with(state, up), data, grid) - _log_flux(_with(state, down), data, grid))
            / (2.0 * step)
        )
    for w in range(W):
        up, down = state.depth.clone(), state.depth.clone()
        up[:, w] += 1e-7
        down[:, w] -= 1e-7
        columns.append(
            (
                _log_flux(replace(state, depth=up), data, grid)
                - _log_flux(replace(state, depth=down), data, grid)
            )
            / 2e-7
        )
    design = torch.stack(columns, dim=1)  # (N, K + W, V, W, T)
    weight = got.weight[:, None]
    design = design - (weight * design).sum(-1, keepdim=True) / weight.sum(-1, keepdim=True)
    information = torch.einsum("navwt,nbvwt->nab", weight * design, design)
    score = torch.einsum("navwt,nvwt->na", weight * design, got.residual)
    k = value.shape[1]
    scale = information.diagonal(dim1=1, dim2=2).sqrt()

    def close(ours: torch.Tensor, dense: torch.Tensor, norm: torch.Tensor) -> None:
        # what the numerical derivatives leave at the contacts
        assert float(((ours - dense) / norm).abs().max()) < 1e-4

    close(got.nuisance_information, information[:, :k, :k], scale[:, :k, None] * scale[:, None, :k])
    close(got.coupling, information[:, k:, :k], scale[:, k:, None] * scale[:, None, :k])
    close(
        torch.diag_embed(got.depth_information),
        information[:, k:, k:],
        scale[:, k:, None] * scale[:, None, k:],
    )
    close(torch.cat([got.nuisance_score, got.depth_score], 1), score, scale * got.chi2[:, None].sqrt())
    assert torch.allclose(got.chi2, (got.weight * got.residual.square()).sum((1, 2, 3)), rtol=1e-9)
    # each visit's own sums add up to the planet's
    assert torch.allclose(got.visits.depth_score.sum(1), got.depth_score)
    own = got.visits.information[:, :, SHARED:, SHARED:]
    assert torch.allclose(
        got.nuisance_information[:, SHARED : SHARED + own.shape[-1], SHARED : SHARED + own.shape[-1]],
        own[:, 0],
    )


def test_the_level_is_the_best_one() -> None:
    """Guards against a residual that keeps a mean: in every wavelength the level is the weighted
    least-squares one."""
    state, data, grid, robust = _case()
    got = assemble(state, data, grid, settings=SETTINGS, robust=robust)
    assert float(((got.weight * got.residual).sum(-1) / got.weight.sum(-1)).abs().max()) < 1e-12
    model = got.level[..., None] * _log_flux(state, data, grid).exp()
    assert torch.allclose(got.residual, data.flux / model - 1.0, atol=1e-12)


def test_white_columns_are_sums_over_wavelengths() -> None:
    """Guards against common noise that is taken from other columns than the fit's."""
    state, data, grid, robust = _case()
    depths, columns = white_columns(state, data, grid, settings=SETTINGS, robust=robust)
    got = assemble(state, data, grid, settings=SETTINGS, robust=robust)
    # a sum over time of what is mean-free in time
    assert float(depths.sum(2).abs().max() / depths.abs().max()) < 1e-10
    assert float(columns.sum(2).abs().max() / columns.abs().max()) < 1e-10
    step = 1e-5
    later, earlier = (replace(state, mid_time=state.mid_time + s) for s in (step, -step))
    slope = (_log_flux(later, data, grid) - _log_flux(earlier, data, grid))[:, :, 1:] / (2.0 * step)
    weight = got.weight[:, :, 1:]
    slope = slope - (weight * slope).sum(-1, keepdim=True) / weight.sum(-1, keepdim=True)
    assert torch.allclose(
        columns[..., SHARED],
        (weight * slope).sum(2),
        rtol=1e-4,
        atol=1e-4 * float(columns[..., SHARED].abs().max()),
    )


@pytest.mark.parametrize("name", [f.name for f in fields(PlanetState)])
def test_planets_do_not_mix(name: str) -> None:
    """Guards against a broadcast over the wrong axis: what changes of one planet leaves the other as it
    was."""
    state, data, grid, robust = _case()
    before = assemble(state, data, grid, settings=SETTINGS, robust=robust)
    changed = getattr(state, name).clone()
    changed[1] = changed[1] * 1.01 + 1e-4
    after = assemble(replace(state, **{name: changed}), data, grid, settings=SETTINGS, robust=robust)
    assert (
        torch.equal(before.nuisance_information[0], after.nuisance_information[0])
        and before.chi2[0] == after.chi2[0]
    )
    assert before.chi2[1] != after.chi2[1] and np.isfinite(float(after.chi2[1]))
