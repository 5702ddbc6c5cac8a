"""Figure 11: which inputs move the network's correction and its error bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.attribution import FILE_NAME, Attributions, kept_attributions
from spectramind_kit.diagnostics.figures.style import COLOURS, captioned, label_panels, new_figure, numbered
from spectramind_kit.diagnostics.network import explain_network
from spectramind_kit.run_folder.results import RunResults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_BUDGET_S = {"smoke": 6.0, "quick": 20.0}


@numbered(11, "attributions", title="Which inputs move the network")
def plot_attributions(
    run: RunResults, *, attributions: Attributions | None = None, cpu_budget_s: float | None = None
) -> Figure:
    """Mean absolute Shapley value of every input group for δ and log σ of every band.

    ``attributions`` come from `attribute_inputs`. Without them the run's network is explained within
    ``cpu_budget_s`` CPU seconds (30; 20 and 6 in the quick and smoke profiles); the values are kept in the
    run's folder while its predictions are the same.
    """
    from matplotlib.ticker import MaxNLocator

    if attributions is None:
        attributions = kept_attributions(run)
    if attributions is None:
        budget = cpu_budget_s if cpu_budget_s is not None else _BUDGET_S.get(run.info.get("profile"), 30.0)
        attributions = explain_network(run, cpu_budget_s=budget)
    attributions.save(run.diagnostics_dir / FILE_NAME, fingerprint=run.fingerprint)
    size = np.abs(attributions.value).mean(axis=0)  # (G, O)
    half = size.shape[1] // 2
    figure = new_figure(7.2, 5.4)
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1, 1, 0.55))
    bands = [name.removeprefix("δ ") for name in attributions.output_names[:half]]
    for axis, part, title, cmap in (
        (left, size[:, :half], "δ (anchor σ)", "Blues"),
        (middle, size[:, half:], "log (σ / anchor σ)", "Oranges"),
    ):
        mesh = axis.imshow(part, aspect="auto", cmap=cmap, vmin=0, vmax=max(float(part.max()), 1e-9))
        axis.set_xticks(range(half), bands, rotation=90, fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.grid(False)
        bar = figure.colorbar(mesh, ax=axis, location="top", pad=0.01, aspect=25)
        bar.ax.tick_params(labelsize=8)
        bar.locator = MaxNLocator(3)
        bar.update_ticks()
    left.set_yticks(range(len(size)), attributions.group_names, fontsize=8.5)
    place = np.arange(len(size))
    for part, shift, colour, label in (
        (size[:, :half], -0.19, COLOURS["final"], "δ"),
        (size[:, half:], 0.19, COLOURS["warn"], "log σ"),
    ):
        right.barh(
            place + shift,
            100 * part.sum(axis=1) / max(part.sum(), 1e-12),
            height=0.36,
            color=colour,
            label=label,
        )
    right.set_title("share (%)", fontsize=9.5)
    right.grid(False, axis="y")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), fontsize=8.5)
    label_panels((left, middle, right))
    n = len(attributions.planet_id)
    return captioned(
        figure,
        (
            f"Shapley values (shap, kernel explainer) of groups of inputs, mean size over {n} "
            f"planet{'s' if n != 1 else ''}, "
            f"each group swapped against {attributions.n_background} background "
            f"planet{'s' if attributions.n_background != 1 else ''}; {attributions.seconds:.0f} CPU s. "
            "Darker: the group "
            "moves that band's output more. δ is the correction to the anchor's depth in units of its error, "
            "log σ the "
            "change of the error bar. All zero means a network that leaves the anchor as it is."
        ),
    )
