"""The batch contract, written once: names, shapes and units of what a model reads, and a random batch.

One row is one visit. Padded steps stand at the end of a visit and are never read.
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
    "fgs1": "(B, T) residual of FGS1 to the anchor's model, in units of flux_err",
    "fgs1_transit": "(B, T) the model's transit shape, (relative flux - 1) / depth, in [-1, 0]",
    "airs": "(B, T, 282) residual per wavelength, in units of flux_err",
    "time": "(B, T) from mid-transit, in units of half the transit's duration",
    "mask": "(B, T) bool, True where the step is valid, False where it pads",
    "bins": "(B, 283, F) standardised features per wavelength bin; index 0 is FGS1",
    "star": "(B, S) standardised star and geometry features; 0 for one that is missing",
    "anchor_depth": "(B, 283) transit depth of the anchor; outputs have its dtype",
    "anchor_err": "(B, 283) its 1-sigma error, > 0",
    "wavelength_um": "(283,) micrometres; index 0 is FGS1",
}
SERIES = ("fgs1", "fgs1_transit", "airs", "time", "mask")  # what has a time axis, dimension 1
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
    spectrum = (series[0], batch["anchor_depth"].shape[-1])
    expected = {
        **dict.fromkeys(("fgs1", "fgs1_transit", "time", "mask"), series),
        **dict.fromkeys(("anchor_depth", "anchor_err"), spectrum),
        "airs": (*series, spectrum[1] - 1),
        "bins": (*spectrum, batch["bins"].shape[-1]),
        "star": (series[0], batch["star"].shape[-1]),
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
        "fgs1_transit": -((1.1 - time.abs()) / 0.2).clamp(0.0, 1.0),
        "airs": normal(time_steps, n_airs),
        "time": time,
        "mask": mask,
        "bins": normal(n_bins, bin_features),
        "star": normal(star_features),
        "anchor_depth": anchor,
        "anchor_err": err,
        "depth": anchor + err * normal(n_bins),
        "wavelength_um": torch.cat([torch.tensor([0.7]), torch.linspace(1.95, 3.895, n_airs)]),
    }
