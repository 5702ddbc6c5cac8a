"""``predictions/oof.npz`` and ``test.npz``: a run's spectra, stage by stage, and the truth beside them."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from spectramind_kit.detector.spectra import read_spectra
from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import from_text, to_text
from spectramind_kit.whole_file import whole_file

STAGES = ("flat depth", "anchor", "network", "final")
_STAGE_FIELDS = {
    "flat depth": ("flat_depth_mean", "flat_depth_sigma"),
    "anchor": ("anchor_depth", "anchor_err"),
    "network": ("network_depth_mean", "network_depth_sigma"),
    "final": ("depth_mean", "depth_sigma"),
}
EMBEDDINGS = ("fused", "fgs1_embedding", "airs_embedding")
_NOT_BY_PLANET = ("wavelength_um", "made_from")


@dataclass(frozen=True)
class Predictions:
    """Spectra of N planets, transit depth (dimensionless), index 0 FGS1; what the run lacks is None."""

    planet_id: np.ndarray  # (N,) int
    wavelength_um: np.ndarray  # (283,) µm
    depth_mean: np.ndarray  # (N, 283) what goes into the submission
    depth_sigma: np.ndarray  # (N, 283)
    flat_depth_mean: np.ndarray | None = None  # (N, 283) this and the next five: the stages before it
    flat_depth_sigma: np.ndarray | None = None  # (N, 283)
    anchor_depth: np.ndarray | None = None  # (N, 283)
    anchor_err: np.ndarray | None = None  # (N, 283)
    network_depth_mean: np.ndarray | None = None  # (N, 283) NaN for planets that the network did not see
    network_depth_sigma: np.ndarray | None = None  # (N, 283)
    depth: np.ndarray | None = None  # (N, 283) labels or truth
    fused: np.ndarray | None = None  # (N, D) this and the next two: pooled embeddings of the network
    fgs1_embedding: np.ndarray | None = None  # (N, D)
    airs_embedding: np.ndarray | None = None  # (N, D)
    fold: np.ndarray | None = None  # (N,) int, the fold that held each train planet out
    source: np.ndarray | None = None  # (N,) text: the stage that each test planet's spectrum comes from
    flags: np.ndarray | None = None  # (N,) text: what is said of each planet's light curves and fit
    made_from: Mapping[str, str] = field(default_factory=dict)  # fingerprints of the inputs, by name

    def __len__(self) -> int:
        return len(self.planet_id)

    @property
    def counts(self) -> dict[str, int]:
        """How many planets have their spectrum from which source."""
        return {} if self.source is None else dict(Counter(self.source.tolist()))

    def save(self, path: Path) -> Path:
        """Write the file, atomically."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        content["made_from"] = np.array(to_text(self.made_from))
        with whole_file(path) as part, open(part, "wb") as file:
            np.savez_compressed(file, **{name: value for name, value in content.items() if value is not None})
        return path

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what `save` wrote; other arrays are left out.

        Raises
        ------
        DataError
            No such file, or it cannot be read; the error behind it is its cause.
        """
        known = {f.name for f in fields(cls)}
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                content = {name: arrays[name] for name in arrays.files if name in known}
            return cls(**content | {"made_from": from_text(str(content.get("made_from", "")))})
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                "predictions cannot be read",
                where=str(path),
                found=str(error),
                expected="planet_id, wavelength_um, depth_mean, depth_sigma",
                fix="run notebook 03 again",
            ) from error

    def stage(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(mean, sigma), each (N, 283), of one of `STAGES`; None where the run has none.

        Planets that the network did not see keep the anchor's numbers, as they do in the submission; in a run
        without anchors those of the submission, a flat depth or a guess.
        """
        mean, sigma = (getattr(self, part) for part in _STAGE_FIELDS[name])
        if mean is None or sigma is None:
            return None
        missing = ~(np.isfinite(mean) & np.isfinite(sigma)).all(axis=1, keepdims=True)
        below = "final" if self.anchor_depth is None or self.anchor_err is None else "anchor"
        below_mean, below_sigma = (getattr(self, part) for part in _STAGE_FIELDS[below])
        return np.where(missing, below_mean, mean), np.where(missing, below_sigma, sigma)

    def with_rows(
        self, planet_ids: Sequence[int], spectra: tuple[np.ndarray, np.ndarray], *, source: str
    ) -> Predictions:
        """The same with other spectra, depths and errors (M, 283), and their source, for some planets."""
        rows = self.rows_of(planet_ids)
        mean, sigma, sources = self.depth_mean.copy(), self.depth_sigma.copy(), self.source.copy()
        mean[rows], sigma[rows] = spectra
        sources[rows] = source
        return replace(self, depth_mean=mean, depth_sigma=sigma, source=sources)

    def rows_of(self, planet_ids: Sequence[int]) -> list[int]:
        """Where these planets stand."""
        row = {int(p): k for k, p in enumerate(self.planet_id)}
        return [row[int(p)] for p in planet_ids]

    def with_stage(self, name: str) -> Predictions:
        """The same planets with ``depth_mean`` and ``depth_sigma`` of another stage."""
        mean, sigma = self.stage(name)
        return replace(self, depth_mean=mean, depth_sigma=sigma)

    def only(self, rows: np.ndarray) -> Predictions:
        """The same for some planets: ``rows`` is a mask or an index array."""
        by_planet = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_BY_PLANET}
        return replace(self, **{k: None if value is None else value[rows] for k, value in by_planet.items()})

    def in_bins(self, order: np.ndarray) -> Predictions:
        """The same with the wavelength bins in another order (283,)."""
        spectra = {name: getattr(self, name) for pair in _STAGE_FIELDS.values() for name in pair}
        moved = {name: values[:, order] for name, values in spectra.items() if values is not None}
        return replace(self, wavelength_um=self.wavelength_um[order], **moved)


def read_predictions(path: Path, *, tell: Callable[[str], object]) -> Predictions | None:
    """`Predictions.load`, but None where the file is absent or empty; ``tell`` hears which."""
    if not path.is_file():
        split = "train" if path.stem == "oof" else "test"
        tell(f"no {path.name}: no predictions of the {split} planets")
        return None
    predictions = Predictions.load(path)
    if len(predictions) == 0:
        tell(f"{path.name} holds no planet")
        return None
    return predictions


def read_truth(test: Predictions, path: Path) -> np.ndarray:
    """(N, 283), NaN rows for planets that the truth does not hold; matched by planet_id, not by position."""
    if not path.is_file():
        fix = "correct `truth`, or leave it empty"
        raise DataError("the truth file does not exist", where=str(path), fix=fix)
    return read_spectra(path).reindex(test.planet_id.astype("int64")).to_numpy(dtype=np.float64)
