"""Which inputs move the network's correction? Shapley values of groups of inputs, with the `shap` package.

The players are groups of inputs (a light curve, a wavelength band of one, the per-bin features, …), not single
numbers: a light curve is one thing to an astronomer, and a dozen players keep the values exact enough to read. A group
that is out of the coalition takes the values of background planets, and the output is averaged over them
(interventional Shapley values: Lundberg & Lee 2017; Janzing, Minorics & Blöbaum 2020). So for each planet and output

    Σ_groups attribution = output(the planet) − mean output(the background planets' inputs).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from spectramind_kit.diagnostics.run_folder import RunResults

FILE_NAME = "attributions.npz"


@dataclass(frozen=True)
class InputGroup:
    """One player: ``parts`` are (name in the batch, bins along its wavelength axis or None for all of it)."""

    name: str
    parts: tuple[tuple[str, np.ndarray | None], ...]


@dataclass(frozen=True)
class Attributions:
    """Shapley values ``value`` (N, G, O) of G groups for O outputs of N planets, and where they start and end.

    Outputs: the correction δ (in units of the anchor's error) of each band, then its log σ / σ_anchor. ``base`` (N, O)
    is the mean output on the background, ``output`` (N, O) the planet's own. ``group_names`` (G,), ``output_names`` (O,).
    """

    planet_id: np.ndarray
    group_names: tuple[str, ...]
    output_names: tuple[str, ...]
    value: np.ndarray
    base: np.ndarray
    output: np.ndarray
    n_background: int
    seconds: float

    def save(self, path: str | Path, *, fingerprint: str = "") -> Path:
        """Write as npz, atomically; ``fingerprint`` names the results that they belong to."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with open(partial, "wb") as file:
            np.savez_compressed(file, fingerprint=np.array(fingerprint), **{name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__})
        partial.replace(path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Attributions:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in cls.__dataclass_fields__}
        for name in ("group_names", "output_names"):
            content[name] = tuple(str(text) for text in content[name])
        return cls(**content | {"n_background": int(content["n_background"]), "seconds": float(content["seconds"])})


def kept_attributions(run: RunResults) -> Attributions | None:
    """Those of a run's present results, or None."""
    path = run.diagnostics_dir / FILE_NAME
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        if "fingerprint" not in arrays.files or str(arrays["fingerprint"]) != run.fingerprint:
            return None
    return Attributions.load(path)


def input_groups(wavelength_um: np.ndarray) -> tuple[InputGroup, ...]:
    """FGS1 light curve, AIRS light curve by band, per-bin features of FGS1 and of AIRS, transit shape, star.

    The masks and the anchor itself are no players: δ and log σ are defined relative to the planet's own anchor.
    """
    bands = [band for band in wavelength_bands(wavelength_um) if not band.is_fgs1]
    return (
        InputGroup("FGS1 light curve", (("fgs1", None),)),
        *(InputGroup(f"AIRS light curve {band.name}", (("airs", band.bins - 1),)) for band in bands),
        InputGroup("anchor features, FGS1 bin", (("bins", np.array([0])),)),
        InputGroup("anchor features, AIRS bins", (("bins", np.arange(1, len(wavelength_um))),)),
        InputGroup("transit shape and timing", (("fgs1_transit", None), ("time", None))),
        InputGroup("star and orbit", (("star", None),)),
    )


def attribute_inputs(predict: Callable[[Mapping[str, Tensor]], Any], batch: Mapping[str, Tensor], *,
                     planet_id: Sequence[int] | None = None, background: Mapping[str, Tensor] | None = None,
                     max_planets: int = 24, max_background: int = 6, cpu_budget_s: float = 30.0, seed: int = 0,
                     progress: bool = True) -> Attributions:
    """Shapley values of the input groups for the network's δ and log σ of each wavelength band.

    Permutations come in antithetic pairs (`shap.PermutationExplainer`). The number of planets, of background planets
    and of permutations are cut so that the forward passes stay within ``cpu_budget_s`` CPU seconds: one pass is timed
    first.

    Parameters
    ----------
    predict : batch → an object with ``depth_mean`` and ``depth_sigma`` (B, 283), e.g. the model in evaluation mode
    batch : the planets to explain, after the batch contract (B rows)
    background : rows that stand for "unknown"; by default other rows of ``batch``
    planet_id : (B,) for the result; row numbers by default

    Raises
    ------
    DataError
        `shap` is missing, the output is not finite, or there are fewer than two rows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tqdm's hint about notebook widgets
            import shap
    except (ImportError, OSError, RuntimeError) as error:
        raise DataError("the attributions need the shap package", found=f"{type(error).__name__}: {error}",
                        fix="pip install shap, or leave this figure out") from error
    import torch

    rows = _row_count(batch)
    rng = np.random.default_rng(seed)
    pool = batch if background is None else background
    if rows < 1 or _row_count(pool) < (2 if background is None else 1):
        raise DataError("attributions need a planet and another one as background", expected="at least 2 rows",
                        found=f"{rows}")
    wavelength = np.asarray(batch["wavelength_um"], dtype=np.float64)
    wavelength = wavelength if wavelength.ndim == 1 else wavelength[0]
    groups, bands = input_groups(wavelength), wavelength_bands(wavelength)
    output_names = tuple(f"δ {band.name}" for band in bands) + tuple(f"log σ {band.name}" for band in bands)
    planet_id = np.arange(rows) if planet_id is None else np.asarray(planet_id)

    @torch.no_grad()
    def outputs(some: Mapping[str, Tensor]) -> np.ndarray:
        found = predict(some)
        mean, sigma, anchor, err = (part.detach().double().cpu().numpy() for part in (
            found.depth_mean, found.depth_sigma, some["anchor_depth"], some["anchor_err"]))
        found = np.stack([np.stack([part[:, band.bins].mean(axis=1) for band in bands], axis=1)
                          for part in ((mean - anchor) / err, np.log(sigma / err))], axis=1)
        if not np.isfinite(found).all():
            raise DataError("the network's output is not finite", where="attributions")
        return found.reshape(len(found), -1)

    start = time.process_time()

    def coalitions_of(row: int, donors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda z: np.stack([outputs(_mixed(batch, row, pool, donors, groups, kept)).mean(axis=0) for kept in z > 0.5])

    others = np.arange(_row_count(pool))
    evaluations = 2 * len(groups) + 2                          # of one antithetic pair of permutations, roughly
    n_back, n_planets, n_pairs = _plan(cpu_budget_s / _cost_of_a_pass(coalitions_of, others, len(groups)),
                                       evaluations=evaluations, planets=min(rows, max_planets),
                                       background=min(max_background, others.size - (background is None)))
    chosen = np.sort(rng.choice(rows, n_planets, replace=False))
    value, base, own = [], [], []
    for row in _shown(chosen, progress):
        donors = rng.choice(others[others != row] if background is None else others, n_back, replace=False)
        masker = shap.maskers.Independent(np.zeros((1, len(groups))))
        explained = shap.PermutationExplainer(coalitions_of(int(row), donors), masker, seed=seed)(
            np.ones((1, len(groups))), max_evals=n_pairs * evaluations, silent=True)
        value.append(np.asarray(explained.values)[0])
        base.append(np.asarray(explained.base_values).reshape(-1, len(output_names))[0])
        own.append(outputs(_take(batch, [row]))[0])
        if time.process_time() - start > cpu_budget_s:
            break  # the plan was too hopeful: keep what is done
    return Attributions(planet_id=planet_id[chosen[:len(value)]], group_names=tuple(g.name for g in groups),
                        output_names=output_names, value=np.array(value), base=np.array(base), output=np.array(own),
                        n_background=n_back, seconds=time.process_time() - start)


def _row_count(batch: Mapping[str, Tensor]) -> int:
    return int(batch["fgs1"].shape[0])


def _take(batch: Mapping[str, Tensor], rows: Sequence[int]) -> dict[str, Tensor]:
    """Some rows of a batch; what is not per row (the wavelengths) stays."""
    count = _row_count(batch)
    index = np.asarray(rows, dtype=np.int64)
    return {name: part if part.ndim == 1 and part.shape[0] != count or name == "wavelength_um" and part.ndim == 1
            else part[index] for name, part in batch.items()}


def _mixed(batch: Mapping[str, Tensor], row: int, pool: Mapping[str, Tensor], donors: np.ndarray,
           groups: Sequence[InputGroup], kept: np.ndarray) -> dict[str, Tensor]:
    """``len(donors)`` copies of one row in which the groups outside the coalition come from the donors."""
    mixed = {name: part.clone() if name != "wavelength_um" else part
             for name, part in _take(batch, np.repeat(row, len(donors))).items()}
    donated = _take(pool, donors)
    for group, stays in zip(groups, kept):
        if stays:
            continue
        for name, bins in group.parts:
            if bins is None:
                mixed[name] = donated[name]
            elif name == "bins":
                mixed[name][:, bins] = donated[name][:, bins]
            else:
                mixed[name][..., bins] = donated[name][..., bins]
    return mixed


def _cost_of_a_pass(coalitions_of: Callable, others: np.ndarray, n_groups: int) -> float:
    """CPU seconds of one row of one coalition, mixing included; the first pass warms up."""
    donors = others[np.arange(4) % others.size]
    half = (np.arange(n_groups) % 2 == 0).astype(float)[None]
    evaluate = coalitions_of(0, donors)
    evaluate(half)
    start = time.process_time()
    evaluate(half)
    return max((time.process_time() - start) / donors.size, 1e-6)


def _plan(passes: float, *, evaluations: int, planets: int, background: int) -> tuple[int, int, int]:
    """Background planets, planets and pairs of permutations that ``passes`` row passes pay for; at least one of each."""
    per_pair = passes / evaluations
    n_back = int(np.clip(per_pair / planets, 1, background))
    n_planets = int(np.clip(per_pair / n_back, 1, planets))
    n_pairs = int(np.clip(per_pair / (n_back * n_planets), 1, 4))
    return n_back, n_planets, n_pairs


def _shown(rows: np.ndarray, show: bool):
    from spectramind_kit.runtime import progress

    return progress(rows, desc="attributions", total=len(rows), unit="planets") if show else rows
