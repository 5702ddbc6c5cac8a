from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.transit import light_curve_model, spectral_transit
from spectramind_kit.transit.limb_darkening import transit_flux
from spectramind_kit.transit.orbit import projected_separation

torch.set_num_threads(1)
TIME = np.linspace(0.0, 7.5, 188)
ORBIT = dict(mid_transit_time=3.6, period_d=4.1, semi_major_axis=9.0, inclination_deg=88.2)


def test_equals_batman_with_smearing() -> None:
    """Guards against a wrong orbit, and against smearing that batman's own does not show."""
    batman = pytest.importorskip("batman")
    p = batman.TransitParams()
    p.t0, p.per, p.a, p.inc, p.ecc, p.w = 3.6 / 24, 4.1, 9.0, 88.2, 0.0, 90.0
    p.rp, p.limb_dark, p.u = 0.11, "quadratic", [0.4, 0.15]
    for exposure_h, supersample in ((0.0, 1), (0.04, 11)):
        model = batman.TransitModel(
            p, TIME / 24, max_err=0.1, supersample_factor=supersample, exp_time=exposure_h / 24
        )
        ours = light_curve_model(
            TIME, radius_ratio=0.11, u1=0.4, u2=0.15, exposure_h=exposure_h, supersample=supersample, **ORBIT
        )
        # batman places its sub-exposures from edge to edge, we in the middle of equal parts: 2e-6 at the
        # contacts
        assert np.abs(ours.numpy() - model.light_curve(p)).max() < (1e-6 if exposure_h == 0.0 else 6e-6)


def test_smearing_in_three_parts_is_enough() -> None:
    """Guards against a default that costs accuracy: 2.4 min bins, compared with 51 parts."""
    args = dict(radius_ratio=0.12, u1=0.5, u2=0.1, exposure_h=0.04, **ORBIT)
    coarse, fine = (light_curve_model(TIME, supersample=n, **args) for n in (3, 51))
    assert float((coarse - fine).abs().max()) < 5e-6


def test_gradient_in_every_parameter() -> None:
    """Guards against a detached argument."""
    names = ("mid_transit_time", "period_d", "semi_major_axis", "inclination_deg", "radius_ratio", "u1", "u2")
    values = dict(radius_ratio=0.1, u1=0.4, u2=0.1, **ORBIT)
    leaves = {
        name: torch.tensor([values[name]] * 2, dtype=torch.float64, requires_grad=True) for name in names
    }
    flux = light_curve_model(TIME, exposure_h=0.04, **leaves)
    assert flux.shape == (2, len(TIME))
    weights = torch.linspace(0.3, 1.7, len(TIME), dtype=torch.float64)
    for name, grad in zip(names, torch.autograd.grad((flux * weights).sum(), list(leaves.values()))):
        step = 1e-5
        up, down = (
            light_curve_model(TIME, exposure_h=0.04, **{**values, name: values[name] + s})
            for s in (step, -step)
        )
        numeric = float((((up - down) / (2 * step)) * weights).sum())
        assert float(grad[0]) == pytest.approx(numeric, rel=2e-3, abs=1e-4), name


def test_interpolation_in_radius_equals_the_exact_model() -> None:
    """Guards against a fast path that bends spectra: 283 wavelengths, 4 % range of depth, 0.5 ppm at the
    contacts."""
    z = projected_separation(torch.from_numpy(TIME), **ORBIT)[None]
    generator = torch.Generator().manual_seed(0)
    r = 0.12 * (1.0 + 0.02 * (torch.rand(1, 283, generator=generator, dtype=torch.float64) - 0.5))
    u1, u2 = torch.linspace(0.5, 0.1, 283).double()[None], torch.linspace(0.1, 0.15, 283).double()[None]
    fast = spectral_transit(z, r, u1, u2)
    exact = transit_flux(z[0, :, None], r[0], u1[0], u2[0])
    assert fast.shape == (1, len(TIME), 283)
    assert float((fast[0] - exact).abs().max()) < 5e-7
    flat = spectral_transit(z, torch.full((1, 283), 0.1).double(), u1, u2)
    assert torch.allclose(flat[0], transit_flux(z[0, :, None], 0.1, u1[0], u2[0]), atol=1e-9)


def test_no_samples_is_an_error() -> None:
    """Guards against a division by zero that fills a light curve with NaN."""
    with pytest.raises(DataError, match="at least one sample"):
        light_curve_model(TIME, radius_ratio=0.1, u1=0.1, u2=0.1, exposure_h=0.1, supersample=0, **ORBIT)
