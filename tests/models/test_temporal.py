"""Along time: projections in units of their error, merged kernels, wavelengths that stay apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from spectramind_kit.errors import ConfigError
from spectramind_kit.models.temporal import MultiKernelConv, TemporalCnn, TemporalMoments, time_basis


def test_moments_find_a_depth_error(series):
    """A residual of +5 sigma in transit shows as a projection on the transit's shape, in units of its own
    error."""
    _flux, shape, time, mask = series(1, 200, 1)
    basis = time_basis(shape, time, mask)
    assert torch.allclose(basis.square().sum(-1), torch.ones(()))
    noise = TemporalMoments()(torch.randn(1, 200, 400), shape=shape, time=time, mask=mask)
    assert abs(float(noise.std()) - 1.0) < 0.05
    signal = TemporalMoments()(0.4 * shape[..., None], shape=shape, time=time, mask=mask)[0, 0, 1]
    assert float(signal) == pytest.approx(0.4 * float(shape.square().sum().sqrt()), rel=0.05)


def test_multi_kernel_convolution_is_its_branches():
    """Guards against a merged kernel that is off-centre: equal to a convolution per kernel length, side by
    side."""
    torch.manual_seed(0)
    conv, x = MultiKernelConv(8, kernels=(3, 5, 7)), torch.randn(2, 8, 30, 4)
    wanted = torch.cat([F.conv2d(x, w, padding=(w.shape[2] // 2, 0)) for w in conv.weights], dim=1)
    assert torch.allclose(conv(x), wanted + conv.bias[:, None, None], atol=1e-5)
    with pytest.raises(ConfigError, match="odd"):
        MultiKernelConv(8, kernels=(3, 4))


def test_wavelengths_share_weights_and_stay_apart(series):
    """Guards against a convolution across wavelengths: each bin's features depend on its own light curve
    only."""
    flux, shape, time, mask = series()
    cnn = TemporalCnn(channels=6, blocks=2, time_bin=4)
    features = cnn(flux, shape=shape, time=time, mask=mask)
    swapped = cnn(flux.flip(-1), shape=shape, time=time, mask=mask)
    assert features.shape == (2, 5, 18) and torch.allclose(features.flip(1), swapped, atol=1e-6)
