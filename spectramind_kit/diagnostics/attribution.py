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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectramind_kit.diagnostics.coalitions import Game, coalitions_of_a_round, plan
from spectramind_kit.diagnostics.input_groups import row_count, take_rows
from spectramind_kit.diagnostics.kept_arrays import load_arrays, save_arrays
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import how_to_install, probe
from spectramind_kit.runtime import one_torch_thread, progress

if TYPE_CHECKING:
    from torch import Tensor

FILE_NAME = "attributions.npz"


@dataclass(frozen=True)
class Attributions:
    """Shapley values of G groups for O outputs of N planets, and where they start and end.

    Outputs: the correction δ (in units of the reference's error) of each band, then its log σ in them.
    """

    planet_id: np.ndarray  # (N,)
    group_names: tuple[str, ...]  # (G,)
    output_names: tuple[str, ...]  # (O,)
    value: np.ndarray  # (N, G, O)
    base: np.ndarray  # (N, O) mean output on the background
    output: np.ndarray  # (N, O) the planet's own
    n_background: int  # planets
    seconds: float  # of the CPU

    def save(self, path: str | Path, *, fingerprint: str = "") -> Path:
        """Write as npz, atomically; ``fingerprint`` names the results that they belong to."""
        return save_arrays(path, asdict(self), fingerprint=fingerprint)

    @classmethod
    def load(cls, path: str | Path, *, fingerprint: str | None = None) -> Attributions | None:
        """What was saved; with a ``fingerprint``, None where there is nothing or only of other results."""
        arrays = load_arrays(path, fingerprint=fingerprint)
        if arrays is None:
            return None
        names = {name: tuple(arrays[name].tolist()) for name in ("group_names", "output_names")}
        numbers = {name: arrays[name].item() for name in ("n_background", "seconds")}
        return cls(**arrays | names | numbers)


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
) -> Attributions:
    """Shapley values of the input groups for the network's δ and log σ of each wavelength band.

    `shap.KernelExplainer` on coalitions of groups (its permutation explainer gives the same values, but costs
    10 CPU s of compilation). The numbers of planets, of background planets and of coalitions are cut so that
    the forward passes stay within ``cpu_budget_s`` CPU seconds: one pass is timed first.

    Parameters
    ----------
    predict : batch → an object with ``depth_mean`` and ``depth_sigma`` (B, 283): the model in evaluation mode
    batch : the planets to explain, after the batch contract (B rows)
    background : rows that stand for "unknown"; by default other rows of ``batch``
    planet_id : (B,) for the result; row numbers by default

    Raises
    ------
    DataError
        `shap` does not work, the output is not finite, or there are fewer than two rows.
    """
    game = Game(predict, batch, batch if background is None else background)
    _check(game)
    how = {"cpu_budget_s": cpu_budget_s, "seed": seed}
    with one_torch_thread():  # two take ten times the CPU time, and umap-learn's import asks for all cores
        found = _explained(game, max_planets=max_planets, max_background=max_background, **how)
    rows = found.planet_id
    return found if planet_id is None else replace(found, planet_id=np.asarray(planet_id)[rows])


def _explained(
    game: Game, *, max_planets: int, max_background: int, cpu_budget_s: float, seed: int
) -> Attributions:
    """`attribute_inputs`, with the planets' rows for their ids."""
    start, rows, rng = time.process_time(), row_count(game.batch), np.random.default_rng(seed)
    n_coalitions = coalitions_of_a_round(len(game.groups))
    passes, others = cpu_budget_s / game.cost_of_a_pass() / n_coalitions, game.donors_of(0).size
    n_back, n_planets, rounds = plan(
        passes, planets=min(rows, max_planets), background=min(others, max_background)
    )
    chosen = np.sort(rng.choice(rows, n_planets, replace=False))
    found = []
    for row in progress(chosen, desc="attributions", total=len(chosen), unit="planets"):
        evaluate = game.coalitions(row, rng.choice(game.donors_of(row), n_back, replace=False))
        value, base = _shapley_values(evaluate, len(game.groups), rounds * n_coalitions, seed=seed)
        found.append((value, base, game.outputs(take_rows(game.batch, [row]))[0]))
        if time.process_time() - start > cpu_budget_s:
            break  # the plan was too hopeful: keep what is done
    value, base, output = map(np.array, zip(*found))
    return Attributions(
        planet_id=chosen[: len(found)],
        group_names=tuple(group.name for group in game.groups),
        output_names=game.output_names,
        value=value,
        base=base,
        output=output,
        n_background=n_back,
        seconds=time.process_time() - start,
    )


def _check(game: Game) -> None:
    if why := probe("shap"):
        fix = f"{how_to_install('shap')}; or leave this figure out"
        raise DataError("the attributions need the shap package", found=why, fix=fix)
    rows = row_count(game.batch)
    if rows < 1 or not game.donors_of(0).size:
        what = "attributions need a planet and another one as background"
        raise DataError(what, expected="at least 2 rows", found=f"{rows}")


def _shapley_values(
    evaluate: Callable[[np.ndarray], np.ndarray], n_groups: int, n_coalitions: int, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Values (G, O) of one planet, and the output (O,) that they start from."""
    import shap

    explainer = shap.KernelExplainer(evaluate, np.zeros((1, n_groups)))
    with _numpy_seed(seed):
        value = explainer.shap_values(np.ones((1, n_groups)), nsamples=n_coalitions, l1_reg=0, silent=True)
    return np.asarray(value).reshape(n_groups, -1), np.asarray(explainer.expected_value).reshape(-1)


@contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    """shap draws from NumPy's global generator: seed it for the call, then give it back as it was."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)
