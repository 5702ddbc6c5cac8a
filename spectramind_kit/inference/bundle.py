"""``bundle/``: everything that inference needs and nothing that it must not see. No label is in it.

    bundle.json       configuration, naive statistics, normaliser, sigma scales, flat baseline, files
    prior.npz, calibration.json   the anchor's, learned from the train planets
    fold_<k>.pt       averaged weights of each fold (absent with model=anchor)
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spectramind_kit.detector.layout import AdcInfo
from spectramind_kit.errors import DataError
from spectramind_kit.inference.uncertainty import SigmaScale
from spectramind_kit.runtime import say
from spectramind_kit.training.checkpoint import save_checkpoint
from spectramind_kit.training.dataset import Normaliser
from spectramind_kit.training.folds import Network
from spectramind_kit.training.run_folder import read_json, write_json
from spectramind_kit.transit import AnchorCalibration, SpectralPrior

FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """What `save_bundle` wrote. ``config`` holds the data, anchor and model groups that the weights belong to."""

    folder: Path
    config: dict[str, Any]
    naive: dict[str, float]
    prior: SpectralPrior
    calibration: AnchorCalibration
    anchor_scale: SigmaScale
    network_scale: SigmaScale
    normaliser: Normaliser | None
    weights: tuple[Path, ...]
    digest: str
    flat_ratio: float
    flat_sigma: float
    time_flip: bool
    adc: AdcInfo | None = None
    """Gain and offset of the training, where all its planets share them: for a rerun whose adc_info.csv
    cannot be used."""


def save_bundle(folder: Path, *, config: dict[str, Any], naive: dict[str, float], prior: SpectralPrior,
                calibration: AnchorCalibration, anchor_scale: SigmaScale, network_scale: SigmaScale,
                network: Network | None, flat: tuple[float, float], time_flip: bool,
                adc: AdcInfo | None = None) -> Path:
    """Write into a folder beside and exchange it for the old one, so that a kill leaves one or the other."""
    fresh = folder.with_name(folder.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    prior.save(fresh / "prior.npz")
    calibration.save(fresh / "calibration.json")
    names = []
    for result in network.folds if network else ():
        names.append(f"fold_{result.fold}.pt")
        save_checkpoint(fresh / names[-1], {"model": result.state, "fold": result.fold}, digest=network.digest)
    write_json(fresh / "bundle.json", {
        "format": FORMAT, "config": config, "naive": naive, "anchor_scale": anchor_scale.to_dict(),
        "network_scale": network_scale.to_dict(), "normaliser": network.normaliser.to_dict() if network else None,
        "weights": names, "digest": network.digest if network else "", "flat": {"ratio": flat[0], "sigma": flat[1]},
        "time_flip": time_flip, "adc": list(adc.values) if adc and np.isfinite(adc.values).all() else None})
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return folder


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; without its weights where they are missing. Raises `DataError` for another format, or no prior."""
    folder = Path(folder)
    content = read_json(folder / "bundle.json")
    if content.get("format") != FORMAT:
        raise DataError("no bundle of this version", where=str(folder / "bundle.json"), expected=f"format {FORMAT}",
                        found=str(content.get("format", "no file")), fix="run 02_train again, or attach its output")
    weights = tuple(folder / name for name in content["weights"])
    missing = [path.name for path in weights if not path.is_file()]
    if missing:
        say(f"{folder}: {', '.join(missing)} missing; the network is left out, the anchor stands. Copy the bundle again.")
        weights = ()
    return Bundle(
        folder=folder, config=content["config"], naive=content["naive"], prior=SpectralPrior.load(folder / "prior.npz"),
        calibration=AnchorCalibration.load(folder / "calibration.json"),
        anchor_scale=SigmaScale.from_dict(content["anchor_scale"]),
        network_scale=SigmaScale.from_dict(content["network_scale"]),
        normaliser=Normaliser.from_dict(content["normaliser"]) if content["normaliser"] else None, weights=weights,
        digest=content["digest"], flat_ratio=content["flat"]["ratio"], flat_sigma=content["flat"]["sigma"],
        time_flip=bool(content["time_flip"]),
        adc=AdcInfo(*map(float, content["adc"])) if content.get("adc") else None)
