"""What the light curves of one planet say about its spectrum, before any label or prior on spectra is used.

A `DepthMeasurement` is the log likelihood of the light curves, expanded to second order around the best fit:

    log L(d, n) = const + g'x - x'M x / 2,    x = (d - d0, n - n0),
    M = [[diag(s), C], [C', G]] - L L'

with d the 283 transit depths and n the nuisances (orbit, limb darkening, mid-transit times, drift); the
star's level in every wavelength is eliminated already. ``L`` holds noise that all wavelengths have in common
at one time. So the priors on spectra and nuisances can be learned, exchanged and cross-fitted afterwards at
the cost of small linear algebra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.transit.record_file import Arrays, RecordFile, put_together, taken_apart

_FILE = RecordFile("a depth measurement", 3, "delete the file; it is made again from the light curves")
_COMMON_NOISE = "m_common"  # as format 3 knows it
# Raise when the same light curves, star and settings give other numbers than before: stored measurements are
# then made again.
RECIPE_VERSION = 2


@dataclass(frozen=True)
class DepthMeasurement:
    """Second-order log likelihood of one planet's light curves; see the module. K nuisances."""

    planet_id: int
    wavelength_um: np.ndarray  # (W,)
    reference_depth: np.ndarray  # (W,) d0
    nuisance_reference: np.ndarray  # (K,) n0
    depth_information: np.ndarray  # (W,) s
    coupling: np.ndarray  # (W, K) C
    nuisance_information: np.ndarray  # (K, K) G
    common_noise: np.ndarray  # (W + K, m) L
    depth_score: np.ndarray  # (W,) gradient of log L in d at the reference
    nuisance_score: np.ndarray  # (K,)
    nuisance_names: tuple[str, ...]
    nuisance_mean: np.ndarray  # (K,) default prior; the orbit's own is made from `orbit`
    nuisance_sd: np.ndarray  # (K,)
    orbit: Mapping[str, float]  # reference and star table: see `OrbitPoint`
    visits: tuple[VisitFit, ...]
    star: Mapping[str, float] = field(default_factory=dict)  # row of the star table
    quality: Mapping[str, float] = field(default_factory=dict)  # what predicts the error: see `flags.Quality`
    flags: tuple[str, ...] = ()
    made_from: Mapping[str, str] = field(default_factory=dict)  # fingerprints of its inputs

    @property
    def n_nuisances(self) -> int:
        return len(self.nuisance_names)

    def index(self, name: str) -> int:
        """Position of a nuisance by its name."""
        return self.nuisance_names.index(name)

    def save(self, path: str | Path) -> None:
        """Write to one ``.npz``, atomically."""
        arrays, text = taken_apart(self, "m")
        arrays[_COMMON_NOISE] = arrays.pop("m_common_noise")
        visits = [taken_apart(visit, f"v{number}") for number, visit in enumerate(self.visits)]
        for own, _ in visits:
            arrays |= own
        _FILE.write(path, arrays, {**text, "visits": [plain for _, plain in visits]})

    @classmethod
    def load(cls, path: str | Path) -> DepthMeasurement:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is not a measurement, or was written by another version of the kit.
        """

        def build(arrays: Arrays, text: dict) -> DepthMeasurement:
            arrays["m_common_noise"] = arrays.pop(_COMMON_NOISE)
            visits = [
                put_together(VisitFit, f"v{k}", arrays, plain) for k, plain in enumerate(text["visits"])
            ]
            return put_together(cls, "m", arrays, {**text, "visits": visits})

        return _FILE.read(path, build)
