"""Named groups of wavelength bins, the same in every figure and table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# µm: FGS1 is alone, AIRS-CH0 is cut where its water, methane and carbon-dioxide features begin and end.
_EDGES_UM = (1.9, 2.2, 2.5, 2.8, 3.1, 3.4, 3.65, 3.95)
SENSORS = {"FGS1": slice(0, 1), "AIRS": slice(1, None)}  # bins of each sensor in a spectrum of 283
SENSOR_TITLES = {"FGS1": "FGS1", "AIRS": "AIRS-CH0"}


@dataclass(frozen=True)
class Band:
    """Some neighbouring bins."""

    name: str
    bins: np.ndarray  # indices into a spectrum of 283, 0 = FGS1

    @property
    def is_fgs1(self) -> bool:
        return self.name == "FGS1"


def wavelength_bands(wavelength_um: np.ndarray) -> tuple[Band, ...]:
    """FGS1 and the bands of AIRS-CH0 that hold a bin of ``wavelength_um`` (283,), by wavelength."""
    wavelength_um = np.asarray(wavelength_um, dtype=np.float64)
    edges = np.array(_EDGES_UM)
    which = np.clip(np.searchsorted(edges, wavelength_um[1:], side="right") - 1, 0, edges.size - 2)
    bands = [Band("FGS1", np.array([0]))]
    for index in range(edges.size - 1):
        bins = np.flatnonzero(which == index) + 1
        if bins.size:
            bands.append(Band(f"{edges[index]:g}–{edges[index + 1]:g} µm", bins))
    return tuple(bands)
