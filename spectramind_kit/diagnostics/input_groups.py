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
    """One player."""

    name: str
    parts: tuple[tuple[str, np.ndarray | None], ...]  # name in the batch, bins of it (None: all)


def input_groups(wavelength_um: np.ndarray) -> tuple[InputGroup, ...]:
    """Light curves of FGS1, white and by band, per-bin features of FGS1 and of AIRS, transit shape, star.

    The masks and the reference are no players: δ and log σ are relative to the planet's own reference.
    """
    bands = [band for band in wavelength_bands(wavelength_um) if not band.is_fgs1]
    return (
        InputGroup("FGS1 light curve", (("fgs1", None),)),
        InputGroup("white AIRS light curve", (("white", None),)),
        *(InputGroup(f"AIRS light curve {band.name}", (("airs", band.bins - 1),)) for band in bands),
        InputGroup("features of the FGS1 bin", (("bins", np.array([0])),)),
        InputGroup("features of the AIRS bins", (("bins", np.arange(1, len(wavelength_um))),)),
        InputGroup("transit shape and timing", (("transit_shape", None), ("time", None))),
        InputGroup("star and orbit", (("star", None),)),
    )


def row_count(batch: Mapping[str, Tensor]) -> int:
    return int(batch["fgs1"].shape[0])


def take_rows(batch: Mapping[str, Tensor], rows: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
    """Some rows of a batch; what is not per row (the wavelengths) stays."""
    index = np.asarray(rows, dtype=np.int64)
    return {name: part if _is_shared(name, part) else part[index] for name, part in batch.items()}


def mixed_rows(
    own: Mapping[str, Tensor], donors: Mapping[str, Tensor], outside: Sequence[InputGroup]
) -> dict[str, Tensor]:
    """Row for row the own inputs, and the donors' in the groups ``outside`` the coalition."""
    mixed = {name: part.clone() for name, part in own.items()}
    for name, bins in (part for group in outside for part in group.parts):
        where = ... if bins is None else (slice(None), bins) if name == "bins" else (..., bins)
        mixed[name][where] = donors[name][where]
    return mixed


def joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Several batches as one."""
    import torch

    return {
        name: first if _is_shared(name, first) else torch.cat([part[name] for part in parts])
        for name, first in parts[0].items()
    }


def _is_shared(name: str, part: Tensor) -> bool:
    """Whether a part of a batch is the same for all rows."""
    return name == "wavelength_um" and part.ndim == 1
