"""Predicted spectra of a run, stage by stage, and the truth beside them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from spectramind_kit.detector.tables import read_spectra
from spectramind_kit.errors import DataError

STAGES = ("flat depth", "anchor", "network", "final")
_STAGE_FIELDS = {
    "flat depth": ("flat_depth_mean", "flat_depth_sigma"),
    "anchor": ("anchor_depth", "anchor_err"),
    "network": ("network_depth_mean", "network_depth_sigma"),
    "final": ("depth_mean", "depth_sigma"),
}


@dataclass(frozen=True)
class Predictions:
    """Spectra of N planets, transit depth (dimensionless), index 0 FGS1; fields that the run lacks are
    ``None``.

    Attributes
    ----------
    planet_id : (N,) int        wavelength_um : (283,) µm
    depth_mean, depth_sigma : (N, 283)      what goes into the submission
    flat_depth_mean, flat_depth_sigma, anchor_depth, anchor_err, network_depth_mean, network_depth_sigma : (N,
    283)
        the stages before it; the network's are NaN for planets that it did not see
    depth : (N, 283)            labels or truth
    fused, fgs1_embedding, airs_embedding : (N, D)      pooled embeddings of the network
    fold : (N,) int             the fold that held each train planet out
    """

    planet_id: np.ndarray
    wavelength_um: np.ndarray
    depth_mean: np.ndarray
    depth_sigma: np.ndarray
    flat_depth_mean: np.ndarray | None = None
    flat_depth_sigma: np.ndarray | None = None
    anchor_depth: np.ndarray | None = None
    anchor_err: np.ndarray | None = None
    network_depth_mean: np.ndarray | None = None
    network_depth_sigma: np.ndarray | None = None
    depth: np.ndarray | None = None
    fused: np.ndarray | None = None
    fgs1_embedding: np.ndarray | None = None
    airs_embedding: np.ndarray | None = None
    fold: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.planet_id)

    def stage(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(mean, sigma), each (N, 283), of one of `STAGES`; None where the run has none.

        Planets that the network did not see keep the anchor's numbers, as they do in the submission.
        """
        mean, sigma = (getattr(self, part) for part in _STAGE_FIELDS[name])
        if mean is None or sigma is None:
            return None
        missing = ~(np.isfinite(mean) & np.isfinite(sigma)).all(axis=1, keepdims=True)
        if missing.any() and self.anchor_depth is not None and self.anchor_err is not None:
            mean, sigma = (
                np.where(missing, self.anchor_depth, mean),
                np.where(missing, self.anchor_err, sigma),
            )
        return mean, sigma

    def with_stage(self, name: str) -> Predictions:
        """The same planets with ``depth_mean`` and ``depth_sigma`` of another stage."""
        mean, sigma = self.stage(name)
        return replace(self, depth_mean=mean, depth_sigma=sigma)

    def only(self, rows: np.ndarray) -> Predictions:
        """The same for some planets: ``rows`` is a mask or an index array."""
        kept = {
            f.name: (None if getattr(self, f.name) is None else getattr(self, f.name)[rows])
            for f in fields(self)
            if f.name != "wavelength_um"
        }
        return replace(self, **kept)


def read_predictions(path: Path, notes: list[str]) -> Predictions | None:
    """``predictions/oof.npz`` or ``test.npz``; None, with a note, where it is absent or empty. Arrays that
    diagnostics do not know are left out.

    Raises
    ------
    DataError
        The file is there but cannot be read.
    """
    if not path.is_file():
        notes.append(
            f"no {path.name}: no predictions of the {'train' if path.stem == 'oof' else 'test'} planets"
        )
        return None
    known = {f.name for f in fields(Predictions)}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files if name in known}
        predictions = Predictions(**content)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            "predictions cannot be read",
            where=str(path),
            found=str(error),
            expected="planet_id, wavelength_um, depth_mean, depth_sigma",
            fix="run notebook 03 again",
        ) from error
    if len(predictions) == 0:
        notes.append(f"{path.name} holds no planet")
        return None
    return predictions


def read_truth(test: Predictions, path: Path) -> np.ndarray:
    """(N, 283), NaN rows for planets that the truth does not hold; matched by planet_id, not by position."""
    if not path.is_file():
        raise DataError(
            "the truth file does not exist", where=str(path), fix="correct `truth`, or leave it empty"
        )
    table = read_spectra(path)
    return table.reindex(test.planet_id.astype("int64")).to_numpy(dtype=np.float64)
