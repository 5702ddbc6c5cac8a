"""The bundle that 03_submit predicts with: found, taken over with its settings, and doubted aloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spectramind_kit.errors import DataError, in_words
from spectramind_kit.fingerprint import what_changed
from spectramind_kit.inference.bundle import Bundle, load_bundle, table_fingerprints
from spectramind_kit.run_folder.files import RUN_JSON
from spectramind_kit.run_folder.folder import RunFolder
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.runtime import say

# what predicts then (`spectra.with_network`); flat depths where the model is without a network, or it fails
WITHOUT_BUNDLE = "no label of yours is used, the network predicts as it comes with the kit"


def find_bundle(run: RunFolder) -> Bundle | None:
    """The newest bundle, of this run or attached, that can be used.

    None, and told why, where there is none.
    """
    found, failed = run.bundles, []
    if not found:
        what = f"no bundle of a training was found: {WITHOUT_BUNDLE}"
        run.tell(f"{what}. Run 02_train first, or attach its output.")
        return None
    for candidate in found:
        try:
            return _load_whole(candidate.folder)
        # damaged on its way (a cut file raises anything): it costs the anchor, not the submission
        except Exception as error:
            failed.append(in_words(error))
            instead = WITHOUT_BUNDLE if len(failed) == len(found) else "the next one is tried"
            which = "" if len(found) == 1 else f" {candidate.in_words}"
            run.tell(f"the bundle{which} cannot be used, {instead}: {in_words(error)}")
            run.record_stage(bundle_failed=" | ".join(failed))
    return None


def _load_whole(folder: Path) -> Bundle:
    bundle = load_bundle(folder)
    known = np.isfinite([bundle.metric.mean, bundle.metric.sigma]).all()
    if not (known and {"data", "anchor", "model"} <= set(bundle.config)):
        fix = "run 02_train again, or attach its output"
        raise DataError("the bundle is not complete", where=str(folder), fix=fix)
    return bundle


def take_settings(run: RunFolder, bundle: Bundle) -> None:
    """Prior, calibration and weights fit only what they were learned on."""
    from omegaconf import OmegaConf

    trained = OmegaConf.create({name: bundle.config[name] for name in ("data", "anchor")})
    if any(trained[name] != run.config[name] for name in ("data", "anchor")):
        say("light curves and anchors are made with the bundle's settings, which differ from this run's")
    run.config = OmegaConf.merge(run.config, trained)


def say_doubts(run: RunFolder, bundle: Bundle) -> None:
    """Say and record which bundle is used, which others are there, and what speaks against it."""
    found = run.bundles
    used = next((other.in_words for other in found if other.folder == bundle.folder), str(bundle.folder))
    others = [other.in_words for other in found if other.fingerprint != bundle.fingerprint]
    say(f"bundle: {used}")
    for other in others:
        say(f"bundle passed over: {other}")
    try:
        doubts = bundle_doubts(bundle, root=run.root, data_dir=run.data_dir)
    except Exception as error:  # a doubt about a bundle must not cost what it predicts
        doubts = [f"what it belongs to cannot be told: {in_words(error)}"]
    for doubt in doubts:
        say(f"the bundle is used, but {doubt}: run 02_train again")
    run.record_stage(
        bundle=bundle.fingerprint,
        bundle_kit=bundle.kit,
        bundle_from=used,
        bundles_passed_over=others,
        bundle_doubts=doubts,
    )


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
