"""The run's trained network and its inputs, read back for the map of embeddings and for the attributions.

One network (the first fold's) reads all planets: the folds are trained apart, so the axes of their embeddings
have nothing to do with each other, and a map that mixes them shows the folds and not the planets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.visits import (
    planets_with_light_curves,
    stored_light_curves,
    stored_measurement,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.whole_file import whole_file

if TYPE_CHECKING:
    from torch import Tensor

    from spectramind_kit.diagnostics.attribution import Attributions

EMBEDDINGS_FILE = "embeddings.npz"


@dataclass(frozen=True)
class LoadedNetwork:
    """``predict``: batch → ModelOutput, in evaluation mode. ``batch``: one row per visit; ``planet_id``
    (B,)."""

    predict: Callable[[Mapping[str, Tensor]], Any]
    batch: dict[str, Tensor]
    planet_id: np.ndarray


def load_network(run: RunResults, *, max_planets: int = 200) -> LoadedNetwork:
    """The first fold's network with the planets that it can read, test planets first; on the CPU.

    Raises
    ------
    DataError
        No bundle, no trained network in it, or no planet with light curves and a measurement.
    """
    folder = run.find("bundle/bundle.json")
    if folder is None:
        raise DataError(
            "the run has no bundle: no network was trained", where=str(run.work_dir), fix="run 02_train first"
        )
    import pandas as pd

    from spectramind_kit.inference.bundle import load_bundle
    from spectramind_kit.inference.predict import load_fold, predict_anchors
    from spectramind_kit.training.dataset import VisitDataset, planet_rows
    from spectramind_kit.training.made_from import fits_light_curve

    bundle = load_bundle(folder.parent)
    if not bundle.weights:
        raise DataError("no network was trained in this run (model=anchor)", where=str(folder))
    planets = _some_of_each_split(run, max_planets)
    light_curves = {planet: stored_light_curves(run, planet) for planet in planets}
    found = {planet: stored_measurement(run, planet) for planet in planets}
    # a fit of an older light curve would show a mixture
    measurements = {
        planet: one
        for planet, one in found.items()
        if all(fits_light_curve(one, curve) for curve in light_curves[planet])
    }
    anchors, _ = predict_anchors(bundle, measurements)
    if not anchors:
        raise DataError("no planet has both light curves and a measurement", where=str(run.work_dir))
    stars = run.star if run.star is not None else pd.DataFrame()
    dataset = VisitDataset(
        planet_rows(light_curves, measurements=measurements, anchors=anchors, stars=stars),
        normaliser=bundle.normaliser,
    )
    model = load_fold(bundle, bundle.weights[0], dataset)
    return LoadedNetwork(
        predict=model.eval(), batch=dataset.batch(np.arange(len(dataset))), planet_id=dataset.planet_id
    )


def explain_network(
    run: RunResults, *, network: LoadedNetwork | None = None, cpu_budget_s: float = 30.0, seed: int = 0
) -> Attributions:
    """Attributions of the run's network within a bounded CPU time; see `attribution.attribute_inputs`.

    Raises
    ------
    DataError
        There is no network, or `shap` is missing.
    """
    from spectramind_kit.diagnostics.attribution import attribute_inputs

    network = network or load_network(run, max_planets=40)
    return attribute_inputs(
        network.predict, network.batch, planet_id=network.planet_id, cpu_budget_s=cpu_budget_s, seed=seed
    )


def network_embeddings(run: RunResults, *, max_planets: int = 200) -> dict[str, np.ndarray]:
    """Pooled embeddings of one network for all planets: ``planet_id`` (N,), ``fused``, ``fgs1``, ``airs`` (N,
    D).

    Kept in the run's folder and read from there while the predictions are the same. Visits are averaged.
    """
    import torch

    path = run.diagnostics_dir / EMBEDDINGS_FILE
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["fingerprint"]) == run.fingerprint:
                return {name: arrays[name] for name in arrays.files if name != "fingerprint"}
    network = load_network(run, max_planets=max_planets)
    parts: dict[str, list[np.ndarray]] = {"fused": [], "fgs1": [], "airs": []}
    with torch.no_grad():
        for first in range(0, len(network.planet_id), 16):
            rows = slice(first, first + 16)
            output = network.predict(
                {
                    name: part if name == "wavelength_um" else part[rows]
                    for name, part in network.batch.items()
                }
            )
            for name, value in (
                ("fused", output.fused.mean(1)),
                ("fgs1", output.fgs1_embedding),
                ("airs", output.airs_embedding),
            ):
                parts[name].append(value.double().numpy())
    planets = np.unique(network.planet_id)
    found = {
        name: np.stack([np.concatenate(rows)[network.planet_id == planet].mean(axis=0) for planet in planets])
        for name, rows in parts.items()
    } | {"planet_id": planets}
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, fingerprint=np.array(run.fingerprint), **found)
    return found


def _some_of_each_split(run: RunResults, count: int) -> list[int]:
    """Up to ``count`` planets, train and test in the proportion in which the run has them."""
    planets = planets_with_light_curves(run)
    if len(planets) <= count:
        return planets
    return [planets[index] for index in np.linspace(0, len(planets) - 1, count).astype(int)]
