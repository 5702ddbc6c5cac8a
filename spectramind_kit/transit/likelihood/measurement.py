"""What the light curves of one planet say about its spectrum, before any label or prior on spectra is used.

A `DepthMeasurement` is the log likelihood of the light curves, expanded to second order around the best fit:

    log L(d, n) = const + g'x - x'M x / 2,    x = (d - d0, n - n0),
    M = [[diag(s), C], [C', G]] - L L'

with d the 283 transit depths and n the nuisances (orbit, limb darkening, mid-transit times, drift); the
star's level in every wavelength is eliminated already. ``L`` holds noise that all wavelengths share at one
time. So the priors on spectra and nuisances can be learned, exchanged and cross-fitted afterwards at the cost
of small linear algebra.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit.likelihood.visit_fit import VisitFit
from spectramind_kit.whole_file import whole_file

_FORMAT = 3
# Raise when the same light curves, star and settings give other numbers than before: stored measurements are
# then made again.
RECIPE_VERSION = 2


@dataclass(frozen=True)
class DepthMeasurement:
    """Second-order log likelihood of one planet's light curves; see the module for the formula. K
    nuisances."""

    planet_id: int
    wavelength_um: np.ndarray  # (W,)
    reference_depth: np.ndarray  # (W,) d0
    nuisance_reference: np.ndarray  # (K,) n0
    depth_information: np.ndarray  # (W,) s
    coupling: np.ndarray  # (W, K) C
    nuisance_information: np.ndarray  # (K, K) G
    common: np.ndarray  # (W + K, m) L
    depth_score: np.ndarray  # (W,) gradient of log L in d at the reference
    nuisance_score: np.ndarray  # (K,)
    nuisance_names: tuple[str, ...]
    nuisance_mean: np.ndarray  # (K,) default prior; the orbit's own is made from `orbit`
    nuisance_sd: np.ndarray  # (K,)
    orbit: Mapping[str, float]  # reference and star table: see `nuisance_prior.OrbitPoint`
    visits: tuple[VisitFit, ...]
    star: Mapping[str, float] = field(default_factory=dict)
    # what predicts the error; see `anchor.features`
    quality: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    # fingerprints of its inputs; see `training.made_from`
    made_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_nuisances(self) -> int:
        return len(self.nuisance_names)

    def index(self, name: str) -> int:
        """Position of a nuisance by its name."""
        return self.nuisance_names.index(name)

    def save(self, path: str | Path) -> None:
        """Write to one ``.npz``, atomically."""
        arrays = {
            f"m_{f.name}": getattr(self, f.name)
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        text: dict[str, object] = {
            "format": _FORMAT,
            "planet_id": int(self.planet_id),
            "flags": list(self.flags),
            "nuisance_names": list(self.nuisance_names),
            "star": dict(self.star),
            "orbit": dict(self.orbit),
            "quality": dict(self.quality),
            "made_from": dict(self.made_from),
            "visits": [],
        }
        for number, visit in enumerate(self.visits):
            plain: dict[str, object] = {}
            for f in fields(visit):
                value = getattr(visit, f.name)
                if isinstance(value, np.ndarray):
                    arrays[f"v{number}_{f.name}"] = value
                else:
                    plain[f.name] = list(value) if isinstance(value, tuple) else value
            text["visits"].append(plain)  # type: ignore[union-attr]
        with whole_file(path) as part, open(part, "wb") as handle:
            np.savez(handle, text=np.array(json.dumps(text)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> DepthMeasurement:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            The file is not a measurement, or was written by another version of the kit.
        """
        fix = "delete the file; it is made again from the light curves"
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                text = json.loads(str(archive["text"]))
                arrays = {name: archive[name] for name in archive.files if name != "text"}
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                "a depth measurement cannot be read", where=str(path), found=str(error), fix=fix
            ) from error
        if text.get("format") != _FORMAT:
            raise DataError(
                "a depth measurement of another version",
                where=str(path),
                expected=str(_FORMAT),
                found=str(text.get("format")),
                fix=fix,
            )
        try:
            visits = []
            for number, plain in enumerate(text["visits"]):
                own = {
                    name.split("_", 1)[1]: value
                    for name, value in arrays.items()
                    if name.startswith(f"v{number}_")
                }
                visits.append(VisitFit(**{**plain, **own, "flags": tuple(plain["flags"])}))
            own = {name[2:]: value for name, value in arrays.items() if name.startswith("m_")}
            return cls(
                planet_id=text["planet_id"],
                flags=tuple(text["flags"]),
                star=text["star"],
                orbit=text["orbit"],
                quality=text["quality"],
                nuisance_names=tuple(text["nuisance_names"]),
                visits=tuple(visits),
                made_from=text.get("made_from") or {},
                **own,
            )
        # fields that this version has and that one had not, or the reverse
        except (KeyError, TypeError) as error:
            raise DataError(
                "a depth measurement of another version", where=str(path), found=str(error), fix=fix
            ) from error
