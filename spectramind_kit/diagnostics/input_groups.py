"""Groups of a network's inputs, and batches in which some groups come from other planets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class InputGroup:
    """One player: ``parts`` are (name in the batch, bins along its wavelength axis or None for all of it)."""

    name: str
    parts: tuple[tuple[str, np.ndarray | None], ...]


def input_groups(wavelength_um: np.ndarray) -> tuple[InputGroup, ...]:
    """FGS1 light curve, AIRS light curve by band, per-bin features of FGS1 and of AIRS, transit shape, star.

    The masks and the anchor itself are no players: δ and log σ are defined relative to the planet's own
    anchor.
    """
    bands = [band for band in wavelength_bands(wavelength_um) if not band.is_fgs1]
    return (
        InputGroup("FGS1 light curve", (("fgs1", None),)),
        *(InputGroup(f"AIRS light curve {band.name}", (("airs", band.bins - 1),)) for band in bands),
        InputGroup("anchor features, FGS1 bin", (("bins", np.array([0])),)),
        InputGroup("anchor features, AIRS bins", (("bins", np.arange(1, len(wavelength_um))),)),
        InputGroup("transit shape and timing", (("fgs1_transit", None), ("time", None))),
        InputGroup("star and orbit", (("star", None),)),
    )


def row_count(batch: Mapping[str, Tensor]) -> int:
    return int(batch["fgs1"].shape[0])


def take_rows(batch: Mapping[str, Tensor], rows: Sequence[int]) -> dict[str, Tensor]:
    """Some rows of a batch; what is not per row (the wavelengths) stays."""
    index = np.asarray(rows, dtype=np.int64)
    return {
        name: part if name == "wavelength_um" and part.ndim == 1 else part[index]
        for name, part in batch.items()
    }


def mixed_rows(
    batch: Mapping[str, Tensor],
    row: int,
    pool: Mapping[str, Tensor],
    donors: np.ndarray,
    groups: Sequence[InputGroup],
    kept: np.ndarray,
) -> dict[str, Tensor]:
    """``len(donors)`` copies of one row in which the groups outside the coalition come from the donors."""
    mixed = take_rows(batch, np.repeat(row, len(donors)))  # an index array copies, so writing into it is safe
    donated = take_rows(pool, donors)
    for group, stays in zip(groups, kept):
        if stays:
            continue
        for name, bins in group.parts:
            if bins is None:
                mixed[name] = donated[name]
            elif name == "bins":
                mixed[name][:, bins] = donated[name][:, bins]
            else:
                mixed[name][..., bins] = donated[name][..., bins]
    return mixed


def joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Several batches as one."""
    import torch

    return {
        name: first
        if name == "wavelength_um" and first.ndim == 1
        else torch.cat([part[name] for part in parts])
        for name, first in parts[0].items()
    }
