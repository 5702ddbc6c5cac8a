"""The batch contract, written once: names, shapes and units of what a model reads, and a random batch.

One row is one visit. A step that is masked (it pads, or no exposure fell into it) is never read. Two forms
share the contract. *Anchored*: steps are time bins, what the encoders see is what the anchor's model leaves,
and the reference is the anchor. *Direct*: steps are bins of phase, the encoders see the flux less a trapezoid
of one depth, in units of ``reference_err``; the reference is that depth, its error a thirtieth of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spectramind_kit.detector.instrument import N_AIRS_BINS
from spectramind_kit.errors import DataError

FEATURES_OF_A_BIN = 6
FEATURES_OF_A_STAR = 12

CONTRACT = {
    "fgs1": "(B, T) FGS1 less a model: in units of flux_err (anchored), of reference_err (direct)",
    "white": "(B, T) the same of the white light curve of AIRS-CH0",
    "transit_shape": "(B, T) the model's transit shape, (relative flux - 1) / depth, in [-1, 0]",
    "airs": "(B, T, 282) the same as fgs1, per wavelength",
    "time": "(B, T) from mid-transit, in units of half the transit's duration",
    "mask": "(B, T) bool, True where the step is valid",
    "weight": "(B, T) share of the visit's exposures in the step; adds up to 1",
    "bins": "(B, 283, F) standardised features per wavelength bin; index 0 is FGS1",
    "star": "(B, S) standardised star and geometry features; 0 for one that is missing",
    "visit_of": "(B,) int, the same for the visits of one planet",
    "reference_depth": "(B, 283) transit depth that the network corrects; outputs have its dtype",
    "reference_err": "(B, 283) the unit of the correction, > 0; of an anchor its 1-sigma error",
    "wavelength_um": "(283,) micrometres; index 0 is FGS1",
}
# what has a time axis, dimension 1
SERIES = ("fgs1", "white", "transit_shape", "airs", "time", "mask", "weight")
LABEL = {"depth": "(B, 283) true transit depth, NaN where it is not known; losses alone read it"}


def wavelengths_of(batch: Mapping[str, Tensor]) -> Tensor:
    """``wavelength_um`` (283,), also where a collate function has stacked it to (B, 283)."""
    wavelength = batch["wavelength_um"]
    return wavelength if wavelength.ndim == 1 else wavelength[0]


def check_batch(batch: Mapping[str, Tensor]) -> None:
    """Raise `DataError` when a name of the contract is missing or a shape does not fit the others."""
    missing = [name for name in CONTRACT if name not in batch]
    if missing:
        raise DataError(
            "the batch is incomplete",
            where=f"batch['{missing[0]}']",
            expected=CONTRACT[missing[0]],
            found="names " + ", ".join(sorted(batch)),
            fix="make the batch with spectramind_kit.training",
        )
    series = (batch["fgs1"].shape[0], batch["fgs1"].shape[-1])
    spectrum = (series[0], batch["reference_depth"].shape[-1])
    expected = {
        **dict.fromkeys(("fgs1", "white", "transit_shape", "time", "mask", "weight"), series),
        **dict.fromkeys(("reference_depth", "reference_err"), spectrum),
        "airs": (*series, spectrum[1] - 1),
        "bins": (*spectrum, batch["bins"].shape[-1]),
        "star": (series[0], batch["star"].shape[-1]),
        "visit_of": series[:1],
    }
    for name, shape in expected.items():
        if tuple(batch[name].shape) != shape:
            raise DataError(
                "a shape of the batch does not fit the others",
                where=f"batch['{name}']",
                expected=f"{shape}: {CONTRACT[name]}",
                found=str(tuple(batch[name].shape)),
            )
    if batch["mask"].dtype != torch.bool:
        found = str(batch["mask"].dtype)
        raise DataError("the mask must be boolean", where="batch['mask']", expected="torch.bool", found=found)


def example_batch(
    batch_size: int = 2,
    *,
    time_steps: int = 187,
    n_airs: int = N_AIRS_BINS,
    seed: int = 0,
    bin_features: int = FEATURES_OF_A_BIN,
    star_features: int = FEATURES_OF_A_STAR,
) -> dict[str, Tensor]:
    """A random batch that obeys the contract, with labels: for tests, benchmarks, a first look at shapes."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(batch_size, *shape, generator=rng)

    n_bins = n_airs + 1
    time = torch.linspace(-1.9, 1.9, time_steps).repeat(batch_size, 1) + 0.2 * normal(1)
    mask = torch.ones(batch_size, time_steps, dtype=torch.bool)
    mask[:, time_steps - 3 :] = False
    anchor = 0.0147 * torch.exp(0.4 * normal(1)) * (1 + 0.005 * normal(n_bins))
    err = 6e-5 * torch.exp(0.3 * normal(n_bins))
    return {
        "fgs1": normal(time_steps),
        "white": normal(time_steps),
        "transit_shape": -((1.1 - time.abs()) / 0.2).clamp(0.0, 1.0),
        "airs": normal(time_steps, n_airs),
        "time": time,
        "mask": mask,
        "weight": mask / mask.sum(1, keepdim=True),
        "bins": normal(n_bins, bin_features),
        "star": normal(star_features),
        "visit_of": torch.arange(batch_size),
        "reference_depth": anchor,
        "reference_err": err,
        "depth": anchor + err * normal(n_bins),
        "wavelength_um": torch.cat([torch.tensor([0.7]), torch.linspace(1.95, 3.895, n_airs)]),
    }
