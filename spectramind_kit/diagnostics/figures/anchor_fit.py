"""The anchor of one planet: what was measured, what the model leaves, and the spectrum that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.figures import style
from spectramind_kit.diagnostics.figures.numbered import NothingToPlot, numbered
from spectramind_kit.run_folder.results import RunResults
from spectramind_kit.transit import plot_anchor

if TYPE_CHECKING:
    from spectramind_kit.detector import LightCurve
    from spectramind_kit.transit import Anchor, DepthMeasurement

_CAPTION = """
(a) The light curves of one visit, points, and the transit model with drift, black; FGS1 is shifted down.
(b) What the model leaves in every wavelength, in standard deviations: noise if all is well, stripes or
patches if the model misses something. (c) The spectrum: grey dots are single wavelengths without a prior,
the line and the band are the anchor and its 1σ error, {known}the point at the left is FGS1. (d) The scatter
of (b) by wavelength, 1 if errors are what they claim, and the two coefficients of limb darkening.
"""


@numbered(0, "anchor_fit", title="The anchor of one planet")
def plot_anchor_fit(
    run: RunResults,
    *,
    light_curves: Sequence[LightCurve],
    measurement: DepthMeasurement,
    anchor: Anchor,
    depth: np.ndarray | None = None,
) -> style.Figure:
    """The first visit of a planet that was fitted, as `transit.plot_anchor` draws it.

    ``light_curves`` are the planet's, ``depth`` (283,) its label, where it is known.
    """
    fitted = {visit.visit for visit in measurement.visits}
    light_curve = next((curve for curve in light_curves if curve.visit in fitted), None)
    if light_curve is None:
        raise NothingToPlot(f"no visit of planet {measurement.planet_id} could be fitted")
    figure, axes = style.new_figure(6.6, 2, 2)
    plot_anchor(light_curve, measurement, anchor, depth=depth, axes=axes)
    for axis in axes.flat[[0, 2, 3]]:
        style.legend_below(axis, 0.2, columns=2, fontsize=8.0)
    style.label_panels(axes.flat)
    return style.captioned(figure, _CAPTION, known="" if depth is None else "black is the label, ")
