"""Figure 11: which inputs move the network's correction and its error bars."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.attribution import FILE_NAME, Attributions
from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.diagnostics.network import explain_network
from spectramind_kit.run_folder.results import RunResults

_CAPTION = """
Shapley values (shap, kernel explainer) of groups of inputs, mean size over {planets}, each group swapped
against {background}; {seconds:.0f} CPU s. Darker: the group moves that band's output more. δ is the
correction to the reference (a direct network's: the white depth; else the anchor) in units of its error,
log σ the error bar in that unit. All zero means a network that leaves the reference as it is.
"""
_TOO_FEW = """
only {count} could be explained, and a mean over fewer than {least} says more about them than about the
network: it needs more planets, or more time (plot_attributions(run, cpu_budget_s=120))
"""
_FEWEST = 8  # planets: a mean over fewer says more about them than about the network
_BUDGET_S = {"smoke": 6.0, "quick": 20.0}


@numbered(11, "attributions", title="Which inputs move the network")
def plot_attributions(
    run: RunResults, *, attributions: Attributions | None = None, cpu_budget_s: float | None = None
) -> style.Figure:
    """Mean absolute Shapley value of every input group for δ and log σ of every band.

    ``attributions`` come from `attribute_inputs`. Without them the run's network is explained within
    ``cpu_budget_s`` CPU seconds (30; 20 and 6 in the quick and smoke profiles); the values are kept in the
    run's folder while its predictions are the same. Fewer than eight planets are not shown.
    """
    path = run.diagnostics_dir / FILE_NAME
    found = attributions or Attributions.load(path, fingerprint=run.fingerprint)
    if found is None or (attributions is None and len(found.planet_id) < _FEWEST):
        budget = cpu_budget_s if cpu_budget_s is not None else _BUDGET_S.get(run.info.get("profile"), 30.0)
        found = explain_network(run, cpu_budget_s=budget)
    if len(found.planet_id) < _FEWEST:
        told = _TOO_FEW.format(count=style.counted(len(found.planet_id), "planet"), least=_FEWEST)
        raise NothingToPlot(" ".join(told.split()))
    found.save(path, fingerprint=run.fingerprint)
    size = np.abs(found.value).mean(axis=0)  # (G, O)
    half = size.shape[1] // 2
    delta, log_sigma = size[:, :half], size[:, half:]
    bands = [name.removeprefix("δ ") for name in found.output_names[:half]]
    figure, (left, middle, right) = style.new_figure(5.4, 1, 3, sharey=True, width_ratios=(1, 1, 0.55))
    _size_map(left, delta, bands, cmap="Greens")
    left.set_title("δ (reference σ)", fontsize=9)
    _size_map(middle, log_sigma, bands, cmap="Greens")
    middle.set_title("log (σ / reference σ)", fontsize=9)
    left.set_yticks(range(len(size)), found.group_names, fontsize=8.5)
    _share_panel(right, delta, log_sigma)
    style.label_panels((left, middle, right))
    planets = style.counted(len(found.planet_id), "planet")
    background = style.counted(found.n_background, "background planet")
    return style.captioned(figure, _CAPTION, planets=planets, background=background, seconds=found.seconds)


def _size_map(axis, size: np.ndarray, bands: list[str], *, cmap: str) -> None:
    """Mean size of the values, (group, band)."""
    from matplotlib.ticker import MaxNLocator

    mesh = axis.imshow(size, aspect="auto", cmap=cmap, vmin=0, vmax=max(float(size.max()), 1e-9))
    axis.set_xticks(range(len(bands)), bands, rotation=90, fontsize=8)
    axis.grid(False)
    bar = axis.figure.colorbar(mesh, ax=axis, location="top", pad=0.01, aspect=25)
    bar.ax.tick_params(labelsize=8)
    bar.locator = MaxNLocator(3)
    bar.update_ticks()


def _share_panel(axis, delta: np.ndarray, log_sigma: np.ndarray) -> None:
    """Each group's share of all of δ and of all of log σ."""
    place, (dark, light) = np.arange(len(delta)), style.shades("network", 2)
    for shift, size, colour, label in ((-0.19, delta, dark, "δ"), (0.19, log_sigma, light, "log σ")):
        share = 100 * size.sum(axis=1) / max(size.sum(), 1e-12)
        axis.barh(place + shift, share, height=0.36, color=colour, label=label)
    axis.set_title("share (%)", fontsize=9.5)
    axis.grid(False, axis="y")
    style.legend_below(axis, 0.06)
