from __future__ import annotations

import pytest

from spectramind_kit.detector.extraction import extract_light_curve
from spectramind_kit.detector.layout import find_visits
from spectramind_kit.simulator.level_agreement import compare_levels


def test_both_levels_agree(small):
    """The same visits through frames and stage 1, and straight to light curves: same noise, same drift, same
    depth."""
    pairs = []
    for files in find_visits(small.data_dir, "train") + find_visits(small.data_dir, "test"):
        curve = extract_light_curve(files)
        pairs.append((curve, small.visits(files.planet_id)[files.visit]))
    found = compare_levels(pairs, seed=1)
    for name in ("fgs1", "airs", "white"):
        assert found[f"noise_ratio_{name}"] == pytest.approx(1.0, abs=0.12), name
    assert found["captured_ratio_airs"] == pytest.approx(1.0, abs=2e-3) and found[
        "captured_ratio_fgs1"
    ] == pytest.approx(1.0, abs=2e-2)
    for name in ("white", "fgs1"):
        assert (
            abs(found[f"depth_difference_{name}_ppm"]) < 4 * found[f"depth_difference_{name}_error_ppm"] + 10
        ), name
    assert found["slope_difference_white_ppm_rms"] < 60 and found["slope_difference_fgs1_ppm_rms"] < 120
