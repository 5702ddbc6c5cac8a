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
class WavelengthGraph:
    """Edges in two layouts: a table (W, K) of neighbours per node, and the same as lists.

    source (W, K) int64      the neighbour that sends; padded places point at the node itself
    kind (W, K) int64        index into `EDGE_TYPES`
    features (W, K, 4)       signed and absolute log-distance in wavelength (scaled), bands shared, steps
    apart present (W, K) bool      False where the table is padded
    """

    source: Tensor
    kind: Tensor
    features: Tensor
    present: Tensor

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


def _spread(candidates: list[int], wanted: int) -> list[int]:
    """``wanted`` of the candidates, evenly spread over their order."""
    if len(candidates) <= wanted:
        return candidates
    return [candidates[round((k + 0.5) * len(candidates) / wanted - 0.5)] for k in range(wanted)]


def build_wavelength_graph(
    wavelength_um: Tensor,
    *,
    spectral: int = 8,
    molecular: int = 6,
    detector: int = 4,
    regions: int = 8,
    bands: tuple[tuple[str, float, float], ...] = MOLECULAR_BANDS,
) -> WavelengthGraph:
    """Graph of the bins at ``wavelength_um`` (W,), in any order.

    ``spectral`` nearest bins (half on each side); ``molecular`` bins spread over the molecular bands that the
    node lies in; ``detector`` bins spread over its region of the detector, one of ``regions`` equal runs of
    columns, which share flat-field and pointing errors.
    """
    order = torch.argsort(wavelength_um.detach().cpu().double())
    grid = wavelength_um.detach().cpu().double()[order].tolist()
    count = len(grid)
    homes = [frozenset(k for k, (_, low, high) in enumerate(bands) if low <= w <= high) for w in grid]
    spacing = math.log(grid[-1] / grid[0]) / max(count - 1, 1) if count > 1 else 1.0
    width = max(1, spectral + molecular + detector)
    source = torch.arange(count)[:, None].repeat(1, width)
    kind = torch.zeros(count, width, dtype=torch.long)
    features = torch.zeros(count, width, EDGE_FEATURES)
    present = torch.zeros(count, width, dtype=torch.bool)
    for i in range(count):
        near = sorted(
            (j for j in range(max(0, i - spectral), min(count, i + spectral + 1)) if j != i),
            key=lambda j: (abs(j - i), j),
        )[:spectral]
        region = min(i * regions // count, regions - 1)
        chosen = [
            sorted(near),
            _spread([j for j in range(count) if j != i and homes[i] & homes[j]], molecular),
            _spread(
                [j for j in range(count) if j != i and min(j * regions // count, regions - 1) == region],
                detector,
            ),
        ]
        place = 0
        for edge_type, members in enumerate(chosen):
            for j in members:
                apart = math.log(grid[j] / grid[i]) / spacing if spacing > 0 else float(j - i)
                source[i, place], kind[i, place], present[i, place] = j, edge_type, True
                features[i, place] = torch.tensor(
                    [
                        math.copysign(math.log1p(abs(apart)), apart) / 3.0,
                        math.log1p(abs(apart)) / 3.0,
                        len(homes[i] & homes[j]) / 2.0,
                        1.0 / (1.0 + abs(j - i)),
                    ]
                )
                place += 1
    return WavelengthGraph(source, kind, features, present).permuted(torch.argsort(order))
