"""What a spectrum should look like whatever the data say: smooth, coherent, positive, FGS1 near AIRS.

Every term is a mean square in standardised units (depths divided by ``unit``, about the anchor's error), so
that a weight of 1 is as strong as the likelihood. Index 0 (FGS1) is never compared with its neighbour in the
array: it lies 1.25 µm away.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spectramind_kit.errors import check_choice

SMOOTHNESS_FORMS = ("second_difference", "fft")


def check_smoothness(form: str) -> None:
    where = "loss.smoothness_form"
    check_choice(form, SMOOTHNESS_FORMS, what="form of the smoothness term", where=where)


def smoothness(
    depth_mean: Tensor, unit: Tensor, *, form: str = "second_difference", cutoff: float = 0.25
) -> Tensor:
    """Roughness of the AIRS spectrum: depth_mean (B, W), unit (B, 1) -> scalar.

    ``second_difference``: mean square of the second difference. ``fft``: power above ``cutoff`` (a fraction
    of the highest frequency) of the spectrum, its linear trend removed, per bin.
    """
    check_smoothness(form)
    airs = depth_mean[:, 1:] / unit
    if form == "second_difference":
        return (airs[:, 2:] - 2.0 * airs[:, 1:-1] + airs[:, :-2]).square().mean()
    ramp = torch.linspace(-1.0, 1.0, airs.shape[1], dtype=airs.dtype, device=airs.device)
    power = torch.fft.rfft(remove_trend(airs, ramp), norm="ortho").abs().square()
    first = int(cutoff * (power.shape[1] - 1)) + 1
    return 2.0 * power[:, first:].sum(-1).mean() / airs.shape[1]  # 2: rfft keeps half of the frequencies


def remove_trend(values: Tensor, place: Tensor) -> Tensor:
    """values (B, n) minus their least-squares straight line in ``place`` (n,)."""
    place = place - place.mean()
    values = values - values.mean(-1, keepdim=True)
    return values - (values * place).sum(-1, keepdim=True) / place.square().sum().clamp(min=1e-12) * place


def band_coherence(
    correction: Tensor, wavelength_um: Tensor, unit: Tensor, *, bands: tuple[tuple[str, float, float], ...]
) -> Tensor:
    """Scatter inside molecular bands of what the network adds to the anchor.

    correction (B, W) = depth_mean - reference_depth, wavelength_um (W,), unit (B, 1). Inside a band one
    molecule moves all bins together: a correction may shift and tilt it, what is left is penalised. The
    anchor's own shape is not. Bands with fewer than three bins are passed over.
    """
    scaled, parts = correction / unit, []
    for _, low, high in bands:
        inside = ((wavelength_um >= low) & (wavelength_um <= high)).nonzero()[:, 0]
        inside = inside[inside > 0]
        if len(inside) >= 3:
            place = wavelength_um[inside].to(scaled.dtype)
            parts.append(remove_trend(scaled[:, inside], place).square().mean())
    return torch.stack(parts).mean() if parts else scaled.sum() * 0.0


def nonnegativity(depth_mean: Tensor, unit: Tensor) -> Tensor:
    """Mean square of the negative part of depth_mean (B, W): a planet takes light away."""
    return torch.relu(-depth_mean / unit).square().mean()


def fgs1_airs_baseline(depth_mean: Tensor, *, spread: float) -> Tensor:
    """Mean square of (FGS1's depth - mean AIRS depth) / ``spread``.

    Both see the same disk: on the competition's planets the difference stays within ±5e-4.
    """
    return ((depth_mean[:, 0] - depth_mean[:, 1:].mean(-1)) / spread).square().mean()
