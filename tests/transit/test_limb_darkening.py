from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spectramind_kit.transit.limb_darkening import (
    limb_darkening_slopes,
    limb_darkening_weights,
    overlap_integrals,
    transit_flux,
)

torch.set_num_threads(1)
LAWS = [(0.48, 0.12), (0.12, 0.13), (0.0, 0.0), (0.7, -0.1)]


def _edges(r: float) -> torch.Tensor:
    return torch.tensor([0.0, r, 1.0 - r, 1.0, 1.0 + r, 2.0], dtype=torch.float64)


@pytest.mark.parametrize("r", [0.02, 0.06, 0.12, 0.28])
@pytest.mark.parametrize("law", LAWS)
def test_equals_batman_within_one_ppm(r: float, law: tuple[float, float]) -> None:
    """Guards against a wrong overlap integral anywhere between the centre and the last contact."""
    batman = pytest.importorskip("batman")
    # batman's own integral fails at z = r exactly
    z = np.concatenate([np.linspace(0.0, 1.0 + r + 0.05, 700), _edges(r).numpy() + 1e-7])
    p = batman.TransitParams()
    p.t0, p.per, p.a, p.rp, p.inc, p.ecc, p.w = 0.0, 1.0, 10.0, r, 90.0, 0.0, 90.0
    p.limb_dark, p.u = "quadratic", list(law)
    time = np.arcsin(z / p.a) * p.per / (2.0 * math.pi)  # i = 90 deg: z = a sin(phase)
    expected = batman.TransitModel(p, time, max_err=0.1).light_curve(p)
    ours = transit_flux(torch.from_numpy(z), r, *law).numpy()
    assert np.abs(ours - expected).max() < 1e-6


@pytest.mark.parametrize("r", [0.03, 0.1, 0.3])
def test_value_and_gradient_are_finite_at_the_contacts(r: float) -> None:
    """Guards against 0/0 and infinite slopes at z = 0, r, 1 - r, 1, 1 + r, where closed forms have limits."""
    z = _edges(r).requires_grad_()
    radius = torch.full_like(z, r).requires_grad_()
    u1, u2 = torch.full_like(z, 0.4).requires_grad_(), torch.full_like(z, 0.2).requires_grad_()
    flux = transit_flux(z, radius, u1, u2)
    grads = torch.autograd.grad(flux.sum(), (z, radius, u1, u2))
    assert torch.isfinite(flux).all() and all(torch.isfinite(g).all() for g in grads)
    assert flux[-1] == 1.0 and all(g[-1] == 0.0 for g in grads)
    assert (flux[:4] < 1.0).all()


@pytest.mark.parametrize("r", [0.03, 0.1, 0.3])
def test_gradient_equals_finite_differences(r: float) -> None:
    """Guards against a derivative that does not belong to the value (it is coded apart from it)."""
    generator = torch.Generator().manual_seed(1)
    z = torch.rand(200, generator=generator, dtype=torch.float64) * (1.0 + r)
    z = z[((z - (1.0 - r)).abs() > 3e-3) & ((z - 1.0 - r).abs() > 3e-3)]
    step = 1e-5
    centre = overlap_integrals(z, torch.tensor(r), nodes=64)
    radius = torch.tensor(r, dtype=torch.float64)
    num_z = (
        overlap_integrals(z + step, radius, nodes=64).area
        - overlap_integrals((z - step), radius, nodes=64).area
    ) / (2 * step)
    num_r = (
        overlap_integrals(z, radius + step, nodes=64).area
        - overlap_integrals(z, radius - step, nodes=64).area
    ) / (2 * step)
    assert torch.allclose(centre.d_separation[z > step], num_z[z > step], atol=3e-6)
    assert torch.allclose(centre.d_radius, num_r, atol=3e-6)


@pytest.mark.parametrize("r", [0.02, 0.1, 0.3])
def test_the_quadrature_has_converged(r: float) -> None:
    """Guards against too few nodes near second contact, where the line integral is nearly singular."""
    z = torch.cat(
        [
            torch.linspace(0.0, 1.0 + r, 4001, dtype=torch.float64),
            1.0 - r + torch.logspace(-12, -2, 60, dtype=torch.float64),
            1.0 - r - torch.logspace(-12, -2, 60, dtype=torch.float64),
        ]
    )
    few, many = (overlap_integrals(z, torch.tensor(r), nodes=n).area / math.pi for n in (10, 200))
    assert float((few - many).abs().max()) < 3e-7


def test_extreme_bodies() -> None:
    """Guards against NaN for no planet, a planet as large as the star, and one that hides it whole."""
    z = torch.tensor([0.0, 0.3, 0.5, 0.0, 0.0], dtype=torch.float64)
    r = torch.tensor([0.0, 1.0, 1.6, 1.0, 2.0], dtype=torch.float64)
    flux = transit_flux(z, r, 0.3, 0.2)
    assert flux[0] == 1.0
    assert torch.allclose(flux[2:], torch.zeros(3, dtype=torch.float64), atol=1e-9)
    assert 0.0 < flux[1] < 0.5


def test_batches_broadcast() -> None:
    """Guards against a batch that mixes its rows."""
    z = torch.linspace(0, 1.2, 30, dtype=torch.float64)
    r = torch.tensor([[0.05], [0.1]], dtype=torch.float64)
    both = transit_flux(z, r, torch.tensor([[0.4], [0.1]]), 0.1)
    assert both.shape == (2, 30)
    for row, radius, u1 in ((0, 0.05, 0.4), (1, 0.1, 0.1)):
        assert torch.allclose(both[row], transit_flux(z, radius, torch.tensor(u1), 0.1), atol=1e-12)


def test_slopes_of_the_weights_equal_finite_differences() -> None:
    """Guards against limb darkening that the fit moves the wrong way; the weights' integral stays one."""
    u1, u2 = torch.tensor([0.48, 0.1]).double(), torch.tensor([0.12, 0.2]).double()
    weights, step = limb_darkening_weights(u1, u2), 1e-6
    by_u1, by_u2 = limb_darkening_slopes(weights, u1, u2)
    up, down = limb_darkening_weights(u1 + step, u2), limb_darkening_weights(u1 - step, u2)
    assert torch.allclose(by_u1, (up - down) / (2 * step), atol=1e-8)
    up, down = limb_darkening_weights(u1, u2 + step), limb_darkening_weights(u1, u2 - step)
    assert torch.allclose(by_u2, (up - down) / (2 * step), atol=1e-8)
    star = overlap_integrals(torch.zeros(1), torch.tensor([2.0])).area
    assert torch.allclose((weights * star).sum(-1), torch.ones(2).double())
