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
_NAME_IN_FILE = {"common_noise": "common"}  # fields that format 3 knows by another name
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
    orbit: Mapping[str, float]  # reference and star table: see `nuisance_prior.OrbitPoint`
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
        arrays, text = _taken_apart(self, "m")
        text |= {"format": _FORMAT, "visits": []}
        for number, visit in enumerate(self.visits):
            own, plain = _taken_apart(visit, f"v{number}")
            arrays |= own
            text["visits"].append(plain)
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
        place = dict(where=str(path), fix="delete the file; it is made again from the light curves")
        other_version = "a depth measurement of another version"
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                text = json.loads(str(archive["text"]))
                arrays = {name: archive[name] for name in archive.files if name != "text"}
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError("a depth measurement cannot be read", found=str(error), **place) from error
        version = text.pop("format", None)
        if version != _FORMAT:
            raise DataError(other_version, expected=str(_FORMAT), found=str(version), **place)
        try:
            visits = [
                _put_together(VisitFit, f"v{number}", arrays, plain)
                for number, plain in enumerate(text["visits"])
            ]
            return _put_together(cls, "m", arrays, {**text, "visits": visits})
        except (
            KeyError,
            TypeError,
        ) as error:  # fields that this version has and that one had not, or the reverse
            raise DataError(other_version, found=str(error), **place) from error


def _taken_apart(record: DepthMeasurement | VisitFit, prefix: str) -> tuple[dict, dict]:
    """The arrays of a record by their names in the file, and its other fields."""
    values = {f.name: getattr(record, f.name) for f in fields(record)}
    arrays = {
        f"{prefix}_{_NAME_IN_FILE.get(name, name)}": value
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }
    return arrays, {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}


def _put_together(kind: type, prefix: str, arrays: Mapping[str, np.ndarray], plain: Mapping[str, object]):
    """The record whose arrays carry the prefix; JSON's lists are its tuples."""
    name_here = {old: new for new, old in _NAME_IN_FILE.items()}
    own = {
        name.removeprefix(f"{prefix}_"): value
        for name, value in arrays.items()
        if name.startswith(f"{prefix}_")
    }
    return kind(
        **{name_here.get(name, name): value for name, value in own.items()},
        **{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()},
    )
