"""The bundle that 03_submit predicts with: found, taken over with its settings, and doubted aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError, in_words
from spectramind_kit.fingerprint import what_changed
from spectramind_kit.inference.bundle import Bundle, load_bundle, table_fingerprints
from spectramind_kit.run_folder.files import BUNDLE, RUN_JSON
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.runtime import say


def find_bundle(run: RunFolder) -> Bundle | None:
    """The bundle of this run or of an earlier kernel; None, and told why, where there is none to be used."""
    path = run.find(BUNDLE)
    if path is None:
        what = "no bundle of a training was found: flat depths only"
        run.tell(f"{what}. Run 02_train first, or attach its output.")
        return None
    try:
        bundle = load_bundle(path.parent)
        known = np.isfinite([bundle.metric.mean, bundle.metric.sigma]).all()
        if not (known and {"data", "anchor", "model"} <= set(bundle.config)):
            fix = "run 02_train again, or attach its output"
            raise DataError("the bundle is not complete", where=str(path), fix=fix)
        return bundle
    # damaged on its way (a cut file raises anything): it costs the anchor, not the submission
    except Exception as error:
        run.tell(f"the bundle cannot be used, flat depths only: {in_words(error)}")
        run.record_stage(bundle_failed=in_words(error))
        return None


def take_settings(run: RunFolder, bundle: Bundle) -> None:
    """Prior, calibration and weights fit only what they were learned on."""
    from omegaconf import OmegaConf

    trained = OmegaConf.create({name: bundle.config[name] for name in ("data", "anchor")})
    if any(trained[name] != run.config[name] for name in ("data", "anchor")):
        say("light curves and anchors are made with the bundle's settings, which differ from this run's")
    run.config = OmegaConf.merge(run.config, trained)


def say_doubts(run: RunFolder, bundle: Bundle) -> None:
    """Say and record what speaks against the bundle, and which other bundles are there."""
    others = []
    try:
        doubts = bundle_doubts(bundle, root=run.root, data_dir=run.data_dir)
        for folder in run.folders:
            if read_json(folder / BUNDLE).get("fingerprint", bundle.fingerprint) != bundle.fingerprint:
                others.append(folder)
    except Exception as error:  # a doubt about a bundle must not cost what it predicts
        doubts = [f"what it belongs to cannot be told: {in_words(error)}"]
    for doubt in doubts:
        say(f"the bundle is used, but {doubt}: run 02_train again")
    for folder in others:
        say(f"the bundle of {bundle.folder.parent} is used, the other one in {folder} is not")
    run.record_stage(bundle=bundle.fingerprint, bundle_kit=bundle.kit, bundle_doubts=doubts)


def bundle_doubts(bundle: Bundle, *, root: Path, data_dir: Path) -> list[str]:
    """In words: the competition's tables have changed, or the training of this run did not end."""
    doubts = []
    now = table_fingerprints(data_dir)
    known = {name: value for name, value in bundle.tables.items() if name in now}
    changed = what_changed(known, now) if bundle.tables else []
    if changed:
        doubts.append(f"it was trained with another {' and '.join(changed)}")
    train = read_json(Path(root) / RUN_JSON).get("stages", {}).get("train")
    if train is not None and bundle.folder.parent == Path(root) and train.get("bundle") != bundle.fingerprint:
        doubts.append("02_train has been started since, and has not come to its end")
    return doubts
