"""What `predict` gives: spectra, where each comes from, and what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.submission import build_submission, submission_columns


@dataclass(frozen=True, repr=False)
class PlanetSpectra:
    """Spectra of N planets: transit depths (dimensionless), index 0 FGS1, then AIRS-CH0 as in the visits."""

    stages: Predictions  # every stage: ``anchor_depth``, ``network_depth_mean``, ``fgs1_embedding``, …
    flags: tuple[tuple[str, ...], ...]  # of each planet, in words; empty where nothing is to be said

    def __repr__(self) -> str:
        sources = ", ".join(f"{n} {name}" for name, n in self.stages.counts.items())
        return f"PlanetSpectra of {len(self.flags)} planets ({sources}; {sum(map(bool, self.flags))} flagged)"

    @property
    def planet_id(self) -> np.ndarray:
        """(N,) int."""
        return self.stages.planet_id

    @property
    def wavelength_um(self) -> np.ndarray:
        """(283,) µm."""
        return self.stages.wavelength_um

    @property
    def depth(self) -> np.ndarray:
        """(N, 283)."""
        return self.stages.depth_mean

    @property
    def sigma(self) -> np.ndarray:
        """(N, 283) 1σ error of the depth."""
        return self.stages.depth_sigma

    @property
    def source(self) -> np.ndarray:
        """(N,) text: ``both``, ``network``, ``anchor``, ``flat depth`` or ``naive`` (nothing is known)."""
        return self.stages.source

    @property
    def table(self) -> pd.DataFrame:
        """N · 283 rows, one per planet and bin: planet_id, bin (``wl_1`` is FGS1), wavelength_um, depth,
        sigma, source, flags (joined by "; ")."""
        n, width = self.depth.shape
        by_planet = {
            "planet_id": self.planet_id,
            "source": self.source,
            "flags": ["; ".join(flags) for flags in self.flags],
        }
        columns = {name: np.repeat(values, width) for name, values in by_planet.items()}
        columns["bin"] = np.tile(submission_columns()[1 : width + 1], n)
        columns["wavelength_um"] = np.tile(self.wavelength_um, n)
        columns |= {"depth": self.depth.ravel(), "sigma": self.sigma.ravel()}
        order = ["planet_id", "bin", "wavelength_um", "depth", "sigma", "source", "flags"]
        return pd.DataFrame(columns)[order]

    @property
    def submission(self) -> pd.DataFrame:
        """The rows of these planets in submission.csv, clipped as the host asks."""
        return build_submission(self.planet_id.tolist(), self.depth, depth_sigma=self.sigma)
