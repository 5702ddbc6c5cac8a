"""Which inputs move the network's correction? Shapley values of groups of inputs, with the `shap` package.

The players are groups of inputs (a light curve, a wavelength band of one, the per-bin features, …), not
single numbers: a light curve is one thing to an astronomer, and a dozen players keep the values exact enough
to read. A group that is out of the coalition takes the values of background planets, and the output is
averaged over them (interventional Shapley values: Lundberg & Lee 2017; Janzing, Minorics & Blöbaum 2020). So
for each planet and output

    Σ_groups attribution = output(the planet) − mean output(the background planets' inputs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.bands import wavelength_bands
from spectramind_kit.diagnostics.input_groups import input_groups, joined, mixed_rows, row_count, take_rows
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import probe
from spectramind_kit.whole_file import whole_file

if TYPE_CHECKING:
    from torch import Tensor

    from spectramind_kit.run_folder.results import RunResults

FILE_NAME = "attributions.npz"
_ROWS_OF_A_PASS = 16  # a small network costs a third less per row in passes of this size than in small ones


@dataclass(frozen=True)
class Attributions:
    """Shapley values ``value`` (N, G, O) of G groups for O outputs of N planets, and where they start and
    end.

    Outputs: the correction δ (in units of the anchor's error) of each band, then its log σ / σ_anchor.
    ``base`` (N, O) is the mean output on the background, ``output`` (N, O) the planet's own. ``group_names``
    (G,), ``output_names`` (O,).
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
        with whole_file(path) as part, open(part, "wb") as file:
            np.savez_compressed(
                file,
                fingerprint=np.array(fingerprint),
                **{name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__},
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Attributions:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in cls.__dataclass_fields__}
        for name in ("group_names", "output_names"):
            content[name] = tuple(str(text) for text in content[name])
        return cls(
            **content | {"n_background": int(content["n_background"]), "seconds": float(content["seconds"])}
        )


def kept_attributions(run: RunResults) -> Attributions | None:
    """Those of a run's present results, or None."""
    path = run.diagnostics_dir / FILE_NAME
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        if "fingerprint" not in arrays.files or str(arrays["fingerprint"]) != run.fingerprint:
            return None
    return Attributions.load(path)


def attribute_inputs(
    predict: Callable[[Mapping[str, Tensor]], Any],
    batch: Mapping[str, Tensor],
    *,
    planet_id: Sequence[int] | None = None,
    background: Mapping[str, Tensor] | None = None,
    max_planets: int = 24,
    max_background: int = 6,
    cpu_budget_s: float = 30.0,
    seed: int = 0,
    progress: bool = True,
) -> Attributions:
    """Shapley values of the input groups for the network's δ and log σ of each wavelength band.

    `shap.KernelExplainer` on coalitions of groups (its permutation explainer gives the same values, but costs
    10 CPU s of compilation). The numbers of planets, of background planets and of coalitions are cut so that
    the forward passes stay within ``cpu_budget_s`` CPU seconds: one pass is timed first.

    Parameters
    ----------
    predict : batch → an object with ``depth_mean`` and ``depth_sigma`` (B, 283), e.g. the model in evaluation
    mode
    batch : the planets to explain, after the batch contract (B rows)
    background : rows that stand for "unknown"; by default other rows of ``batch``
    planet_id : (B,) for the result; row numbers by default

    Raises
    ------
    DataError
        `shap` does not work, the output is not finite, or there are fewer than two rows.
    """
    if why := probe("shap"):
        raise DataError(
            "the attributions need the shap package",
            found=why,
            fix="pip install shap, or leave this figure out",
        )
    import shap
    import torch

    rows = row_count(batch)
    rng = np.random.default_rng(seed)
    pool = batch if background is None else background
    if rows < 1 or row_count(pool) < (2 if background is None else 1):
        raise DataError(
            "attributions need a planet and another one as background",
            expected="at least 2 rows",
            found=f"{rows}",
        )
    wavelength = np.asarray(batch["wavelength_um"], dtype=np.float64)
    wavelength = wavelength if wavelength.ndim == 1 else wavelength[0]
    groups, bands = input_groups(wavelength), wavelength_bands(wavelength)
    output_names = tuple(f"δ {band.name}" for band in bands) + tuple(f"log σ {band.name}" for band in bands)
    planet_id = np.arange(rows) if planet_id is None else np.asarray(planet_id)

    @torch.no_grad()
    def outputs(some: Mapping[str, Tensor]) -> np.ndarray:
        found = predict(some)
        mean, sigma, anchor, err = (
            part.detach().double().cpu().numpy()
            for part in (found.depth_mean, found.depth_sigma, some["anchor_depth"], some["anchor_err"])
        )
        found = np.stack(
            [
                np.stack([part[:, band.bins].mean(axis=1) for band in bands], axis=1)
                for part in ((mean - anchor) / err, np.log(sigma / err))
            ],
            axis=1,
        )
        if not np.isfinite(found).all():
            raise DataError("the network's output is not finite", where="attributions")
        return found.reshape(len(found), -1)

    start = time.process_time()

    def coalitions_of(row: int, donors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        def evaluate(z: np.ndarray) -> np.ndarray:
            found, size = [], max(1, _ROWS_OF_A_PASS // donors.size)
            for first in range(0, len(z), size):
                parts = [
                    mixed_rows(batch, row, pool, donors, groups, kept)
                    for kept in z[first : first + size] > 0.5
                ]
                rows = outputs(joined(parts))
                found.append(rows.reshape(len(parts), donors.size, -1).mean(axis=1))
            return np.concatenate(found)

        return evaluate

    others = np.arange(row_count(pool))
    evaluations = _coalitions_of_a_round(len(groups))
    n_back, n_planets, rounds = _plan(
        cpu_budget_s / _cost_of_a_pass(coalitions_of, others, len(groups)),
        evaluations=evaluations,
        planets=min(rows, max_planets),
        background=min(max_background, others.size - (background is None)),
    )
    chosen = np.sort(rng.choice(rows, n_planets, replace=False))
    value, base, own = [], [], []
    for row in _shown(chosen, progress):
        donors = rng.choice(others[others != row] if background is None else others, n_back, replace=False)
        explainer = shap.KernelExplainer(coalitions_of(int(row), donors), np.zeros((1, len(groups))))
        with _numpy_seed(seed):
            found = explainer.shap_values(
                np.ones((1, len(groups))), nsamples=rounds * evaluations, l1_reg=0, silent=True
            )
        value.append(np.asarray(found).reshape(len(groups), len(output_names)))
        base.append(np.asarray(explainer.expected_value).reshape(-1))
        own.append(outputs(take_rows(batch, [row]))[0])
        if time.process_time() - start > cpu_budget_s:
            break  # the plan was too hopeful: keep what is done
    return Attributions(
        planet_id=planet_id[chosen[: len(value)]],
        group_names=tuple(g.name for g in groups),
        output_names=output_names,
        value=np.array(value),
        base=np.array(base),
        output=np.array(own),
        n_background=n_back,
        seconds=time.process_time() - start,
    )


def _cost_of_a_pass(coalitions_of: Callable, others: np.ndarray, n_groups: int) -> float:
    """CPU seconds of one row of one coalition, mixing included; the first pass warms up."""
    donors = others[np.arange(4) % others.size]
    half = np.tile(np.arange(n_groups) % 2 == 0, (_ROWS_OF_A_PASS // 4, 1)).astype(float)
    evaluate = coalitions_of(0, donors)
    evaluate(half)
    start = time.process_time()
    evaluate(half)
    return max((time.process_time() - start) / _ROWS_OF_A_PASS, 1e-6)


def _coalitions_of_a_round(n_groups: int) -> int:
    """Enough coalitions that shap takes every group alone in and alone out instead of drawing some of them.

    With these all effects of single groups and of pairs are exact. shap shares its coalitions out by the
    weight of their size s, (M − 1) / (s (M − s)), sizes s and M − s together.
    """
    sizes = np.arange(1, n_groups // 2 + 1)
    weight = (n_groups - 1) / (sizes * (n_groups - sizes)) * np.where(2 * sizes == n_groups, 1.0, 2.0)
    return int(np.ceil(2 * n_groups * weight.sum() / weight[0])) + 1


@contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    """shap draws from NumPy's global generator: seed it for the call, then give it back as it was."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)


def _plan(passes: float, *, evaluations: int, planets: int, background: int) -> tuple[int, int, int]:
    """Background planets, planets and rounds of coalitions that ``passes`` row passes pay for; at least one
    of each.

    Three background planets come first, then planets, then more of the background, then more coalitions.
    """
    per_round = passes / evaluations
    n_planets = int(np.clip(per_round / min(3, background), 1, planets))
    n_back = int(np.clip(per_round / n_planets, 1, background))
    return n_back, n_planets, int(np.clip(per_round / (n_back * n_planets), 1, 4))


def _shown(rows: np.ndarray, show: bool):
    from spectramind_kit.runtime import progress

    return progress(rows, desc="attributions", total=len(rows), unit="planets") if show else rows
