from __future__ import annotations

import pytest

from spectramind_kit.simulator.panel import plot_panel


def test_the_panel_is_drawn(tmp_path):
    """Guards against a figure of the docs that can no longer be made, or that is empty."""
    image = pytest.importorskip("matplotlib.image")
    pixels = image.imread(plot_panel(tmp_path / "panel.png"))
    height, width = pixels.shape[:2]
    assert (width, height) == (1100, 935)
    for rows in (slice(0, height // 3), slice(height // 3, 2 * height // 3), slice(2 * height // 3, None)):
        for columns in (slice(0, width // 2), slice(width // 2, None)):
            assert pixels[rows, columns, :3].std() > 0.05
