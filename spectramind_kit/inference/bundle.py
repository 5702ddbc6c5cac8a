"""``bundle/``: everything that inference needs and nothing that it must not see. No label is in it.

bundle.json       configuration, naive statistics, normaliser, sigma scales, flat baseline; what it was
                  made from, and the fingerprint of each of the other files
prior.npz, calibration.json   the anchor's, learned from the train planets
fold_<k>.pt       averaged weights of each fold (absent with model=anchor)
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spectramind_kit import __version__
from spectramind_kit.detector.layout import AdcInfo
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import file_fingerprint, file_fingerprints, fingerprint, what_changed
from spectramind_kit.inference.uncertainty import SigmaScale
from spectramind_kit.run_folder.json_file import plain, read_json, write_json
from spectramind_kit.runtime import say
from spectramind_kit.training.checkpoint import save_checkpoint
from spectramind_kit.training.dataset import Normaliser
from spectramind_kit.training.folds import Network
from spectramind_kit.transit import AnchorCalibration, SpectralPrior
from spectramind_kit.transit.likelihood.depth_measurement import RECIPE_VERSION

FORMAT = 2
# of the competition: a changed one asks for a new training
LABEL_TABLES = ("train.csv", "train_star_info.csv")


@dataclass(frozen=True)
class Bundle:
    """What `save_bundle` wrote. ``config`` holds the data, anchor and model groups that the weights belong
    to.

    ``fingerprint`` is of all that it holds; ``made_from`` names its inputs (`training.made_from`), ``tables``
    the files of the competition that it was trained on, ``kit`` the version that trained it.
    """

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
    fingerprint: str = ""
    made_from: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    kit: str = ""


def recipes(data: Mapping[str, Any]) -> dict[str, str]:
    """What the kit's own numbers depend on before any label: stage 1 with these settings, and the
    measurement."""
    return {"light curves": DetectorSettings.from_mapping(data).digest, "measurements": str(RECIPE_VERSION)}


def save_bundle(
    folder: Path,
    *,
    config: dict[str, Any],
    naive: dict[str, float],
    prior: SpectralPrior,
    calibration: AnchorCalibration,
    anchor_scale: SigmaScale,
    network_scale: SigmaScale,
    network: Network | None,
    flat: tuple[float, float],
    time_flip: bool,
    adc: AdcInfo | None = None,
    made_from: Mapping[str, str] | None = None,
    tables: Mapping[str, str] | None = None,
) -> Path:
    """Write into a folder beside and exchange it for the old one, so that a kill leaves one or the other."""
    fresh = folder.with_name(folder.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    prior.save(fresh / "prior.npz")
    calibration.save(fresh / "calibration.json")
    names = []
    for result in network.folds if network else ():
        names.append(f"fold_{result.fold}.pt")
        save_checkpoint(
            fresh / names[-1], {"model": result.state, "fold": result.fold}, digest=network.digest
        )
    content = {
        "format": FORMAT,
        "config": config,
        "naive": naive,
        "anchor_scale": anchor_scale.to_dict(),
        "network_scale": network_scale.to_dict(),
        "normaliser": network.normaliser.to_dict() if network else None,
        "weights": names,
        "digest": network.digest if network else "",
        "flat": {"ratio": flat[0], "sigma": flat[1]},
        "time_flip": time_flip,
        "adc": list(adc.values) if adc and np.isfinite(adc.values).all() else None,
        "kit": __version__,
        "recipes": recipes(config["data"]),
        "made_from": dict(made_from or {}),
        "tables": dict(tables or {}),
        "files": {name: file_fingerprint(fresh / name) for name in ("prior.npz", "calibration.json", *names)},
    }
    write_json(fresh / "bundle.json", {**content, "fingerprint": fingerprint(plain(content))})
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return folder


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; without its weights where they are missing or of another training.

    Raises
    ------
    DataError
        Another format, no prior, a prior or calibration of another bundle, or one that was learned from light
        curves or measurements that this version of the kit makes in another way: it fits only what it was
        learned on.
    """
    folder = Path(folder)
    content = read_json(folder / "bundle.json")
    again = "run 02_train again, or attach its output"
    if not content:
        raise DataError(
            "the bundle is damaged",
            where=str(folder / "bundle.json"),
            expected="JSON",
            found="a file that is cut short, or another's",
            fix="copy the bundle again, whole",
        )
    if content.get("format") != FORMAT:
        raise DataError(
            "no bundle of this version",
            where=str(folder / "bundle.json"),
            expected=f"format {FORMAT}",
            found=str(content.get("format", "no file")),
            fix=again,
        )
    own = recipes(content["config"]["data"])
    changed = what_changed(content["recipes"], own)
    if changed:
        raise DataError(
            f"the bundle was learned from {' and '.join(changed)} that this kit makes in another way now",
            where=str(folder),
            expected=f"recipes {own}",
            fix=again,
            found=f"{content['recipes']}, of kit {content.get('kit')}",
        )
    kept = content["files"]
    found = {path.name: value for path, value in file_fingerprints(folder / name for name in kept).items()}
    foreign = [name for name in kept if found.get(name, kept[name]) != kept[name]]
    if {"prior.npz", "calibration.json"} & set(foreign):
        raise DataError(
            "files of the bundle are damaged, or of another training",
            where=str(folder),
            found=", ".join(foreign),
            expected="the files that bundle.json was written with",
            fix="copy the bundle again, whole",
        )
    weights = tuple(folder / name for name in content["weights"])
    missing = [path.name for path in weights if not path.is_file()]
    for names, what in ((missing, "missing"), (foreign, "damaged or of another training")):
        if names:
            say(
                f"{folder}: {', '.join(names)} {what}; the network is left out, the anchor stands. "
                "Copy the bundle again."
            )
            weights = ()
    return Bundle(
        folder=folder,
        config=content["config"],
        naive=content["naive"],
        prior=SpectralPrior.load(folder / "prior.npz"),
        calibration=AnchorCalibration.load(folder / "calibration.json"),
        anchor_scale=SigmaScale.from_dict(content["anchor_scale"]),
        network_scale=SigmaScale.from_dict(content["network_scale"]),
        normaliser=Normaliser.from_dict(content["normaliser"]) if content["normaliser"] else None,
        weights=weights,
        digest=content["digest"],
        flat_ratio=content["flat"]["ratio"],
        flat_sigma=content["flat"]["sigma"],
        time_flip=bool(content["time_flip"]),
        adc=AdcInfo(*map(float, content["adc"])) if content.get("adc") else None,
        fingerprint=content["fingerprint"],
        made_from=content["made_from"],
        tables=content["tables"],
        kit=content["kit"],
    )


def table_fingerprints(data_dir: Path) -> dict[str, str]:
    """Of the competition's `LABEL_TABLES` that are there."""
    found = file_fingerprints(Path(data_dir) / name for name in LABEL_TABLES)
    return {path.name: value for path, value in found.items()}


def bundle_doubts(bundle: Bundle, *, root: Path, data_dir: Path) -> list[str]:
    """What speaks against using a bundle, in words: the competition's tables have changed, or its training
    did not end."""
    doubts = []
    now = table_fingerprints(data_dir)
    known = {name: value for name, value in bundle.tables.items() if name in now}
    changed = what_changed(known, now) if bundle.tables else []
    if changed:
        doubts.append(f"it was trained with another {' and '.join(changed)}")
    train = read_json(Path(root) / "run.json").get("stages", {}).get("train")
    if train is not None and bundle.folder.parent == Path(root) and train.get("bundle") != bundle.fingerprint:
        doubts.append("02_train has been started since, and has not come to its end")
    return doubts
