"""The run's trained network and its inputs, read back for the map of embeddings and for the attributions.

One network (the first fold's) reads all planets: the folds are trained apart, so the axes of their embeddings
have nothing to do with each other, and a map that mixes them shows the folds and not the planets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.attribution import attribute_inputs
from spectramind_kit.diagnostics.input_groups import take_rows
from spectramind_kit.diagnostics.kept_arrays import load_arrays, save_arrays
from spectramind_kit.diagnostics.visits import (
    planets_with_light_curves,
    some_of,
    stored_light_curves,
    stored_measurement,
)
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.runtime import one_torch_thread

if TYPE_CHECKING:
    from torch import Tensor

    from spectramind_kit.diagnostics.attribution import Attributions

EMBEDDINGS_FILE = "embeddings.npz"
_ROWS_OF_A_PASS = 16


@dataclass(frozen=True)
class LoadedNetwork:
    """A network and the visits that it can read."""

    predict: Callable[[Mapping[str, Tensor]], Any]  # batch → ModelOutput, in evaluation mode
    batch: dict[str, Tensor]  # one row per visit
    planet_id: np.ndarray  # (B,)


def load_network(run: RunResults, *, max_planets: int = 200) -> LoadedNetwork:
    """The first fold's network with the planets that it can read, test planets first; on the CPU.

    Raises
    ------
    DataError
        No bundle, no trained network in it, or no planet with light curves and a measurement.
    """
    path = run.bundle_json
    if not path.is_file():
        what = "the run has no bundle: no network was trained"
        raise DataError(what, where=str(run.root), fix="run 02_train first")
    import pandas as pd

    from spectramind_kit.inference.bundle import load_bundle
    from spectramind_kit.inference.predictors import as_read, predict_anchors
    from spectramind_kit.training.made_from import fits_light_curve

    bundle = load_bundle(path.parent)
    if not bundle.weights:
        raise DataError("no network was trained in this run (model=anchor)", where=str(path))
    planets = some_of(planets_with_light_curves(run), max_planets)
    light_curves = {planet: stored_light_curves(run, planet) for planet in planets}
    found = {planet: stored_measurement(run, planet) for planet in planets}
    # a fit of an older light curve would show a mixture
    fits = {p: m for p, m in found.items() if all(fits_light_curve(m, curve) for curve in light_curves[p])}
    anchors, _ = predict_anchors(bundle, fits)
    stars = run.star if run.star is not None else pd.DataFrame()
    dataset = as_read(bundle, light_curves, measurements=fits, anchors=anchors, stars=stars)
    if dataset is None:
        raise DataError("no planet has what the network reads", where=str(run.root))
    return LoadedNetwork(bundle.network(0), dataset.batch(np.arange(len(dataset))), dataset.planet_id)


def explain_network(
    run: RunResults, *, network: LoadedNetwork | None = None, cpu_budget_s: float = 30.0, seed: int = 0
) -> Attributions:
    """Attributions of the run's network within a bounded CPU time; see `attribution.attribute_inputs`.

    Raises
    ------
    DataError
        There is no network, or `shap` is missing.
    """
    network = network or load_network(run, max_planets=40)
    return attribute_inputs(
        network.predict, network.batch, planet_id=network.planet_id, cpu_budget_s=cpu_budget_s, seed=seed
    )


def network_embeddings(run: RunResults, *, max_planets: int = 200) -> dict[str, np.ndarray]:
    """Pooled embeddings of one network: ``planet_id`` (N,), ``fused``, ``fgs1`` and ``airs`` (N, D).

    Kept in the run's folder and read from there while the predictions are the same. Visits are averaged.
    """
    path = run.diagnostics_dir / EMBEDDINGS_FILE
    if kept := load_arrays(path, fingerprint=run.fingerprint):
        return kept
    network = load_network(run, max_planets=max_planets)
    visits = np.arange(len(network.planet_id))
    passes = [_pooled(network, rows) for rows in np.split(visits, visits[_ROWS_OF_A_PASS::_ROWS_OF_A_PASS])]
    planets = np.unique(network.planet_id)
    found = {"planet_id": planets}
    for name in passes[0]:
        every = np.concatenate([one[name] for one in passes])
        found[name] = np.stack([every[network.planet_id == planet].mean(axis=0) for planet in planets])
    save_arrays(path, found, fingerprint=run.fingerprint)
    return found


def _pooled(network: LoadedNetwork, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Embeddings (B, D) of some visits."""
    import torch

    with torch.no_grad(), one_torch_thread():
        output = network.predict(take_rows(network.batch, rows))
    found = {"fused": output.fused.mean(1), "fgs1": output.fgs1_embedding, "airs": output.airs_embedding}
    return {name: value.double().numpy() for name, value in found.items()}
