"""Series and a wavelength grid that several parts are tried on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from spectramind_kit.models.wavelength_graph import WavelengthGraph, build_wavelength_graph


@pytest.fixture(scope="session")
def series() -> Callable[..., tuple[torch.Tensor, ...]]:
    """Makes flux (B, T, W) of noise, and shape, time, mask (B, T) of a transit without padding."""

    def make(batch: int = 2, steps: int = 60, bins: int = 5) -> tuple[torch.Tensor, ...]:
        time = torch.linspace(-2, 2, steps).repeat(batch, 1)
        shape = -((1.1 - time.abs()) / 0.2).clamp(0, 1)
        flux = torch.randn(batch, steps, bins, generator=torch.Generator().manual_seed(0))
        return flux, shape, time, torch.ones(batch, steps, dtype=torch.bool)

    return make


@pytest.fixture(scope="session")
def wavelength_um() -> torch.Tensor:
    return torch.linspace(1.9518, 3.895, 282)


@pytest.fixture(scope="session")
def graph(wavelength_um) -> WavelengthGraph:
    return build_wavelength_graph(wavelength_um)
