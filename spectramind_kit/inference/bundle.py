"""``bundle/``: everything that inference needs and nothing that it must not see. No label is in it.

bundle.json       configuration, naive statistics, normaliser, sigma scales, flat baseline; what it was
                  made from, the fingerprint of each of the other files, and when it was saved
prior.npz, calibration.json   the anchor's, learned from the train planets
fold_<k>.pt       averaged weights of each fold (absent with model=anchor)
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from spectramind_kit import __version__
from spectramind_kit.detector.layout import AdcInfo
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import file_fingerprint, file_fingerprints, fingerprint, what_changed
from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.uncertainty import SigmaScale
from spectramind_kit.metric import Metric
from spectramind_kit.models.build import build_model
from spectramind_kit.run_folder.bundles import utc_now
from spectramind_kit.run_folder.json_file import plain, read_json, write_json
from spectramind_kit.runtime import say
from spectramind_kit.training.checkpoint import load_checkpoint, save_checkpoint
from spectramind_kit.training.folds import Network
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.transit import AnchorCalibration, AnchorSettings, SpectralPrior
from spectramind_kit.transit.likelihood.depth_measurement import RECIPE_VERSION

FORMAT = 2
# of the competition: a changed one asks for a new training
LABEL_TABLES = ("train.csv", "train_star_info.csv")
_ANCHOR_FILES = ("prior.npz", "calibration.json")
_AGAIN, _COPY_AGAIN = "run 02_train again, or attach its output", "copy the bundle again, whole"


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a training has learned, but for the network."""

    config: dict[str, Any]  # the data, anchor and model groups that it belongs to
    metric: Metric
    prior: SpectralPrior
    calibration: AnchorCalibration
    anchor_scale: SigmaScale
    network_scale: SigmaScale
    flat: FlatBaseline
    time_flip: bool
    # gain and offset where all train planets share them: for a rerun whose adc_info.csv cannot be used
    adc: AdcInfo | None = None
    made_from: Mapping[str, str] = field(
        default_factory=dict
    )  # fingerprints of its inputs, `training.made_from`
    tables: Mapping[str, str] = field(default_factory=dict)  # `table_fingerprints` of the training


@dataclass(frozen=True, kw_only=True)
class Bundle(Learned):
    """What `save_bundle` wrote."""

    folder: Path
    weights: tuple[Path, ...]  # of the folds; empty without a network
    normaliser: Normaliser | None
    digest: str  # of the inputs of the folds
    fingerprint: str  # of all that it holds
    kit: str  # the version that trained it

    @property
    def detector_settings(self) -> DetectorSettings:
        """Of the light curves that it was trained on: ``extract_light_curve(files, settings=…)``."""
        return DetectorSettings.from_mapping(self.config["data"])

    @property
    def stand_ins(self) -> dict[str, Any]:
        """For tables of a data set that cannot be used: ``read_shared_tables(data_dir, **stand_ins)``."""
        return {"adc": self.adc, "wavelength_um": self.prior.wavelength_um}

    @property
    def anchor_settings(self) -> AnchorSettings:
        """Of the measurements that it was trained on: ``measure_depths(curves, star, settings=…)``."""
        return AnchorSettings.from_mapping(self.config["anchor"])

    def network(self, fold: int = 0) -> nn.Module:
        """The trained network of one fold, a `SpectraMind` in evaluation mode, on the CPU.

        What it reads of visits comes from `network_inputs`; attention and embeddings are in its output::

            inputs = network_inputs(bundle, curves, stars=stars)  # V visits in which a transit is found
            with torch.no_grad():
                output = bundle.network(0)(inputs.batch(range(len(inputs))), attention=True)
            output.depth_mean  # (V, 283), and depth_sigma
            output.attention  # (V, R, 283, L): what each of R readings of a bin weighs the L time tokens with
            output.fgs1_embedding, output.airs_embedding  # (V, D); the fused tokens are (V, 283, D)

        Raises
        ------
        DataError
            The bundle has no network (``model=anchor``, or weights that are missing), or no such fold.
        """
        if fold not in range(len(self.weights)):
            raise DataError(
                "the bundle has no network of this fold",
                where=str(self.folder),
                expected=f"0 … {len(self.weights) - 1}" if self.weights else "a bundle with weights",
                found=f"fold {fold}",
                fix="train with a network, or copy the bundle again, whole" if not self.weights else "",
            )
        model = build_model(self.config["model"], **self.normaliser.features)
        model.load_state_dict(load_checkpoint(self.weights[fold], digest=self.digest)["model"])
        return model.eval()

    def networks(self) -> Iterator[nn.Module]:
        """`network` of every fold, one at a time; none where the bundle has no network."""
        return map(self.network, range(len(self.weights)))


def recipes(data: Mapping[str, Any]) -> dict[str, str]:
    """What the kit's own numbers depend on before any label: stage 1 with these settings, the measurement."""
    return {"light curves": DetectorSettings.from_mapping(data).digest, "measurements": str(RECIPE_VERSION)}


def save_bundle(folder: Path, learned: Learned, *, network: Network | None) -> str:
    """Write a bundle and return its fingerprint.

    It is written into a folder beside and exchanged for the old one: a kill leaves one or the other. A
    training that found the same again keeps the date of the first.
    """
    fresh = folder.with_name(folder.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    learned.prior.save(fresh / "prior.npz")
    learned.calibration.save(fresh / "calibration.json")
    names = []
    for result in network.folds if network else ():
        names.append(f"fold_{result.fold}.pt")
        weights = {"model": result.state, "fold": result.fold}
        save_checkpoint(fresh / names[-1], weights, digest=network.digest)
    adc = learned.adc
    content = {
        "format": FORMAT,
        "config": learned.config,
        "naive": learned.metric.to_dict(),
        "anchor_scale": learned.anchor_scale.to_dict(),
        "network_scale": learned.network_scale.to_dict(),
        "normaliser": network.normaliser.to_dict() if network else None,
        "weights": names,
        "digest": network.digest if network else "",
        "flat": learned.flat._asdict(),
        "time_flip": learned.time_flip,
        "adc": list(adc.values) if adc and np.isfinite(adc.values).all() else None,
        "kit": __version__,
        "recipes": recipes(learned.config["data"]),
        "made_from": dict(learned.made_from),
        "tables": dict(learned.tables),
        "files": {name: file_fingerprint(fresh / name) for name in (*_ANCHOR_FILES, *names)},
    }
    content["fingerprint"] = fingerprint(plain(content))
    before = read_json(folder / "bundle.json")
    same = before.get("fingerprint") == content["fingerprint"]
    content["saved"] = (same and before.get("saved")) or utc_now()
    write_json(fresh / "bundle.json", content)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    return content["fingerprint"]


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
    _check_fits(content, folder)
    foreign = _foreign_files(content, folder)
    return Bundle(
        folder=folder,
        config=content["config"],
        metric=Metric.from_dict(content["naive"]),
        prior=SpectralPrior.load(folder / "prior.npz"),
        calibration=AnchorCalibration.load(folder / "calibration.json"),
        anchor_scale=SigmaScale.from_dict(content["anchor_scale"]),
        network_scale=SigmaScale.from_dict(content["network_scale"]),
        normaliser=Normaliser.from_dict(content["normaliser"]) if content["normaliser"] else None,
        weights=_usable_weights([folder / name for name in content["weights"]], foreign),
        digest=content["digest"],
        flat=FlatBaseline(**content["flat"]),
        time_flip=bool(content["time_flip"]),
        adc=AdcInfo(*map(float, content["adc"])) if content.get("adc") else None,
        **{name: content[name] for name in ("fingerprint", "made_from", "tables", "kit")},
    )


def _check_fits(content: Mapping[str, Any], folder: Path) -> None:
    """Raise `DataError` for what is no bundle, or one that another version of the kit has learned."""
    path = str(folder / "bundle.json")
    if not Path(path).is_file():
        inside = folder / "bundle" / "bundle.json"
        fix = f"pass {inside.parent}" if inside.is_file() else "pass the bundle/ that 02_train left"
        found = "no such folder" if not folder.exists() else f"{folder} without it"
        raise DataError("no bundle here", where=path, expected="bundle.json", found=found, fix=fix)
    if not content:
        what, found = "the bundle is damaged", "a file that is cut short, or another's"
        raise DataError(what, where=path, expected="JSON", found=found, fix=_COPY_AGAIN)
    if content.get("format") != FORMAT:
        found = str(content.get("format", "no number"))
        what, expected = "no bundle of this version", f"format {FORMAT}"
        raise DataError(what, where=path, expected=expected, found=found, fix=_AGAIN)
    own = recipes(content["config"]["data"])
    changed = what_changed(content["recipes"], own)
    if changed:
        raise DataError(
            f"the bundle was learned from {' and '.join(changed)} that this kit makes in another way now",
            where=str(folder),
            expected=f"recipes {own}",
            found=f"{content['recipes']}, of kit {content.get('kit')}",
            fix=_AGAIN,
        )


def _foreign_files(content: Mapping[str, Any], folder: Path) -> list[str]:
    """Files that are not those of ``bundle.json``; an error where prior or calibration are among them."""
    kept = content["files"]
    found = {path.name: value for path, value in file_fingerprints(folder / name for name in kept).items()}
    foreign = [name for name in kept if found.get(name, kept[name]) != kept[name]]
    if set(_ANCHOR_FILES) & set(foreign):
        raise DataError(
            "files of the bundle are damaged, or of another training",
            where=str(folder),
            found=", ".join(foreign),
            expected="the files that bundle.json was written with",
            fix=_COPY_AGAIN,
        )
    return foreign


def _usable_weights(weights: Sequence[Path], foreign: Sequence[str]) -> tuple[Path, ...]:
    """All of them, or none, and a line why."""
    missing = [path.name for path in weights if not path.is_file()]
    for names, what in ((missing, "missing"), (foreign, "damaged or of another training")):
        if names:
            lost = f"{weights[0].parent}: {', '.join(names)} {what}"
            say(f"{lost}; the network is left out, the anchor stands. Copy the bundle again.")
    return () if missing or foreign else tuple(weights)


def table_fingerprints(data_dir: Path) -> dict[str, str]:
    """Of the competition's `LABEL_TABLES` that are there."""
    found = file_fingerprints(Path(data_dir) / name for name in LABEL_TABLES)
    return {path.name: value for path, value in found.items()}
