"""The graph over AIRS-CH0's wavelength bins: who tells whom, of which kind, with which features."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

EDGE_TYPES = ("spectral", "molecular", "detector")
EDGE_FEATURES = 4

# Absorption bands of the molecules that ADC's atmospheres hold, µm (centres and widths as in HITRAN's band
# tables, rounded to where the band stands out at the resolution of AIRS-CH0). Bands overlap; that is physics.
MOLECULAR_BANDS: tuple[tuple[str, float, float], ...] = (
    ("CO2 2.0", 1.94, 2.09),
    ("NH3 2.0", 1.94, 2.06),
    ("CH4 2.3", 2.17, 2.47),
    ("CO 2.35", 2.29, 2.42),
    ("H2O 2.7", 2.47, 2.95),
    ("CO2 2.7", 2.66, 2.86),
    ("NH3 3.0", 2.88, 3.10),
    ("HCN 3.0", 2.97, 3.07),
    ("CH4 3.3", 3.10, 3.65),
    ("H2O 3.0", 2.90, 3.30),
    ("SO2 4.0", 3.80, 4.05),
)


@dataclass(frozen=True)
class Neighbours:
    """How many edges of each type a node has."""

    spectral: int = 8  # nearest bins, half on each side
    molecular: int = 6  # bins spread over the molecular bands that the node lies in
    detector: int = 4  # bins spread over its region of the detector
    regions: int = 8  # equal runs of columns, which share flat-field and pointing errors


@dataclass(frozen=True)
class WavelengthGraph:
    """A table of K neighbours per node; the nodes are W bins."""

    source: Tensor  # (W, K) int64, the neighbour that sends; padded places point at the node itself
    kind: Tensor  # (W, K) int64, index into `EDGE_TYPES`
    # (W, K, 4) signed and absolute log-distance in wavelength (scaled), bands shared, steps apart
    features: Tensor
    present: Tensor  # (W, K) bool, False where the table is padded

    @property
    def n_nodes(self) -> int:
        return self.source.shape[0]

    def to(self, device: torch.device) -> WavelengthGraph:
        return WavelengthGraph(*(t.to(device) for t in (self.source, self.kind, self.features, self.present)))

    def permuted(self, order: Tensor) -> WavelengthGraph:
        """The same graph with node ``order[i]`` renamed to ``i``."""
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order), device=order.device)
        return WavelengthGraph(
            place[self.source[order]], self.kind[order], self.features[order], self.present[order]
        )


def build_wavelength_graph(wavelength_um: Tensor, neighbours: Neighbours = Neighbours()) -> WavelengthGraph:
    """Graph of the bins at ``wavelength_um`` (W,), in any order."""
    wavelength = wavelength_um.detach().cpu().double()
    order = torch.argsort(wavelength)
    grid = wavelength[order].tolist()
    count = len(grid)
    bands = [{name for name, low, high in MOLECULAR_BANDS if low <= w <= high} for w in grid]
    spacing = math.log(grid[-1] / grid[0]) / (count - 1) if count > 1 else 1.0
    width = max(1, neighbours.spectral + neighbours.molecular + neighbours.detector)
    source = torch.arange(count)[:, None].repeat(1, width)
    kind = torch.zeros(count, width, dtype=torch.long)
    features = torch.zeros(count, width, EDGE_FEATURES)
    present = torch.zeros(count, width, dtype=torch.bool)
    for i in range(count):
        chosen = _chosen(i, bands, neighbours)
        edges = [(j, edge_type) for edge_type, members in enumerate(chosen) for j in members]
        for place, (j, edge_type) in enumerate(edges):
            apart = math.log(grid[j] / grid[i]) / spacing if spacing > 0 else float(j - i)
            distance = math.log1p(abs(apart)) / 3.0
            shared = len(bands[i] & bands[j]) / 2.0
            source[i, place], kind[i, place], present[i, place] = j, edge_type, True
            features[i, place] = torch.tensor(
                [math.copysign(distance, apart), distance, shared, 1.0 / (1.0 + abs(j - i))]
            )
    return WavelengthGraph(source, kind, features, present).permuted(torch.argsort(order))


class KeptGraph:
    """The graph of the wavelengths that a layer was last called with, kept until they change."""

    def __init__(self, neighbours: Neighbours = Neighbours()):
        self.neighbours = neighbours
        self._kept: tuple[Tensor, WavelengthGraph] | None = None

    def __call__(self, wavelength_um: Tensor) -> WavelengthGraph:
        known = self._kept[0] if self._kept else None
        if known is None or known.device != wavelength_um.device or not torch.equal(known, wavelength_um):
            built = build_wavelength_graph(wavelength_um, self.neighbours).to(wavelength_um.device)
            self._kept = (wavelength_um.detach().clone(), built)
        return self._kept[1]


def _chosen(i: int, bands: list[set[str]], neighbours: Neighbours) -> tuple[list[int], ...]:
    """The neighbours of node ``i``, one list per edge type; nodes count along the wavelength."""
    count, regions = len(bands), neighbours.regions
    others = [j for j in range(count) if j != i]

    def region(j: int) -> int:
        return min(j * regions // count, regions - 1)

    near = sorted(others, key=lambda j: (abs(j - i), j))[: neighbours.spectral]
    alike = [j for j in others if bands[i] & bands[j]]
    beside = [j for j in others if region(j) == region(i)]
    return sorted(near), _spread(alike, neighbours.molecular), _spread(beside, neighbours.detector)


def _spread(candidates: list[int], wanted: int) -> list[int]:
    """``wanted`` of the candidates, evenly spread over their order."""
    if len(candidates) <= wanted:
        return candidates
    return [candidates[round((k + 0.5) * len(candidates) / wanted - 0.5)] for k in range(wanted)]
