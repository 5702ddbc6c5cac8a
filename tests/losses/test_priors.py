"""The priors: what each of them sees and what it lets pass."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import ConfigError
from spectramind_kit.losses.priors import band_coherence, fgs1_airs_baseline, nonnegativity, smoothness
from spectramind_kit.models.wavelength_graph import MOLECULAR_BANDS

WAVELENGTH = torch.cat(
    [torch.tensor([0.7], dtype=torch.float64), torch.linspace(1.9518, 3.895, 282, dtype=torch.float64)]
)
UNIT = torch.full((3, 1), 5e-5, dtype=torch.float64)


def flat(value: float = 0.0147) -> torch.Tensor:
    return torch.full((3, 283), value, dtype=torch.float64)


@pytest.mark.parametrize("form", ("second_difference", "fft"))
def test_smoothness_sees_noise_and_not_slopes_or_fgs1(form):
    """Guards against a penalty on FGS1's step (1.25 µm away) or on a sloped continuum."""
    sloped = flat() + 1e-3 * (WAVELENGTH - 3.0)
    sloped[:, 0] += 1e-3
    assert float(smoothness(sloped, UNIT, form=form)) < 1e-12
    noise = torch.randn(3, 283, generator=torch.Generator().manual_seed(0)).double() * 5e-5
    rough = float(smoothness(flat() + noise, UNIT, form=form))
    # white noise of one unit
    assert rough == pytest.approx({"second_difference": 6.0, "fft": 0.75}[form], rel=0.2)
    assert float(smoothness(flat() + 2 * noise, 2 * UNIT, form=form)) == pytest.approx(rough)
    bump = flat() + 2e-4 * torch.exp(-(((WAVELENGTH - 2.7) / 0.15) ** 2))
    assert float(smoothness(bump, UNIT, form=form)) < 0.02 * rough


def test_unknown_smoothness():
    """Guards against a misspelt form that is another form."""
    with pytest.raises(ConfigError, match="second_difference"):
        smoothness(flat(), UNIT, form="second_differences")


def test_band_coherence_lets_a_band_move_together():
    """Guards against a penalty on what one molecule does to its whole band."""
    name, low, high = MOLECULAR_BANDS[8]
    inside = (low <= WAVELENGTH) & (high >= WAVELENGTH)
    one_band = ((name, low, high),)
    together = torch.where(inside, 1e-4 + 1e-4 * (WAVELENGTH - low), torch.zeros(())).expand(3, -1)
    assert float(band_coherence(together, WAVELENGTH, UNIT, bands=one_band)) < 1e-12
    scattered = torch.randn(3, 283, generator=torch.Generator().manual_seed(0)).double() * 5e-5
    assert float(band_coherence(scattered, WAVELENGTH, UNIT, bands=MOLECULAR_BANDS)) == pytest.approx(
        1.0, rel=0.25
    )
    outside = torch.where(inside, torch.zeros(()).double(), scattered)
    assert float(band_coherence(outside, WAVELENGTH, UNIT, bands=one_band)) == 0.0
    assert (
        float(band_coherence(scattered, WAVELENGTH, UNIT, bands=(("none", 9.0, 10.0), ("fgs1", 0.6, 0.8))))
        == 0.0
    )


def test_nonnegativity_acts_below_zero_only():
    """Guards against a pull on depths that are possible."""
    assert float(nonnegativity(flat(), UNIT)) == 0.0
    below = flat(-1e-4).requires_grad_()
    value = nonnegativity(below, UNIT)
    value.backward()
    assert float(value.detach()) == pytest.approx(4.0) and (below.grad < 0).all()


def test_baseline_compares_fgs1_with_the_airs_mean():
    """Guards against a comparison with one bin, or in other units."""
    spectrum = flat()
    spectrum[:, 1:] += 3e-4 * torch.randn(282, generator=torch.Generator().manual_seed(0)).double()
    spectrum[:, 0] = spectrum[:, 1:].mean(-1) + 6e-4
    assert float(fgs1_airs_baseline(spectrum, spread=3e-4)) == pytest.approx(4.0)
