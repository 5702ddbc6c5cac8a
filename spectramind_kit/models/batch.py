"""The batch contract, written once: names and shapes of what a model reads, and a random batch that obeys
it."""

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
    "mask": "(B, T) bool, True where the step is valid",
    "bins": "(B, 283, F) features per wavelength bin; index 0 is FGS1",
    "star": "(B, S) standardised star and geometry features",
    "anchor_depth": "(B, 283) transit depth of the anchor",
    "anchor_err": "(B, 283) its 1-sigma error, > 0",
    "wavelength_um": "(283,) micrometres; index 0 is FGS1",
}


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
    size, steps = batch["fgs1"].shape[:1], batch["fgs1"].shape[1:]
    n_bins = batch["anchor_depth"].shape[-1]
    expected = {
        "fgs1_transit": (*size, *steps),
        "airs": (*size, *steps, n_bins - 1),
        "time": (*size, *steps),
        "mask": (*size, *steps),
        "anchor_depth": (*size, n_bins),
        "anchor_err": (*size, n_bins),
        "bins": (*size, n_bins, batch["bins"].shape[-1]),
        "star": (*size, batch["star"].shape[-1]),
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
        raise DataError(
            "the mask must be boolean",
            where="batch['mask']",
            expected="torch.bool",
            found=str(batch["mask"].dtype),
        )


def example_batch(
    batch_size: int = 2,
    *,
    time_steps: int = 187,
    n_airs: int = N_AIRS_BINS,
    seed: int = 0,
    bin_features: int = FEATURES_OF_A_BIN,
    star_features: int = FEATURES_OF_A_STAR,
) -> dict[str, Tensor]:
    """A random batch that obeys the contract, with labels: for tests, benchmarks and a first look at
    shapes."""
    rng = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=rng)

    n_bins = n_airs + 1
    time = torch.linspace(-1.9, 1.9, time_steps).repeat(batch_size, 1) + 0.2 * normal(batch_size, 1)
    shape = -((1.1 - time.abs()) / 0.2).clamp(0.0, 1.0)
    mask = torch.ones(batch_size, time_steps, dtype=torch.bool)
    mask[:, time_steps - 3 :] = False
    anchor = 0.0147 * torch.exp(0.4 * normal(batch_size, 1)) * (1 + 0.005 * normal(batch_size, n_bins))
    err = 6e-5 * torch.exp(0.3 * normal(batch_size, n_bins))
    return {
        "fgs1": normal(batch_size, time_steps),
        "fgs1_transit": shape,
        "airs": normal(batch_size, time_steps, n_airs),
        "time": time,
        "mask": mask,
        "bins": normal(batch_size, n_bins, bin_features),
        "star": normal(batch_size, star_features),
        "anchor_depth": anchor,
        "anchor_err": err,
        "depth": anchor + err * normal(batch_size, n_bins),
        "wavelength_um": torch.cat([torch.tensor([0.7]), torch.linspace(1.95, 3.895, n_airs)]),
    }
