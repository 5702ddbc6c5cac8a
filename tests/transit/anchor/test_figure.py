from __future__ import annotations

import pytest
import torch

from spectramind_kit.transit import apply_prior, measure_depths
from tests.transit.synthetic import make_light_curve, make_planet

torch.set_num_threads(1)


def test_figure_of_one_planet_is_drawn(tmp_path) -> None:
    """Guards against a figure that fails in the notebook of someone who uses the anchor alone."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from spectramind_kit.transit import plot_anchor

    planet = make_planet(4)
    curve = make_light_curve(planet, seed=4)
    measurement = measure_depths([curve], planet.star)
    figure = plot_anchor(curve, measurement, apply_prior(measurement), depth=planet.depth)
    figure.savefig(tmp_path / "anchor.png", dpi=50)
    assert (tmp_path / "anchor.png").stat().st_size > 10_000 and len(figure.axes) == 5
