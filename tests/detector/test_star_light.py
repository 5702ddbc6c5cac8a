"""Whether the light is the star's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectramind_kit.detector.instrument import AIRS, FGS1
from spectramind_kit.detector.raw_visit import Sample
from spectramind_kit.detector.star_light import measure_saturation, require_star, without_lone_pixels
from spectramind_kit.errors import DataError


@pytest.mark.parametrize("instrument", (AIRS, FGS1), ids=lambda i: i.name)
def test_lone_pixels_join_the_bad_ones(open_visit, instrument):
    """Guards against a pixel that is found and used, and one beside the rectangle that is forgotten."""
    raw = open_visit(instrument)
    mean = raw.sample().mean
    assert without_lone_pixels(raw, mean) is raw
    hot = [
        next(
            k for k in (3 * raw.selection.grid[1] + 5, 3 * raw.selection.grid[1] + 9) if not raw.pixels.bad[k]
        )
    ]
    if instrument == FGS1:
        hot.append(raw.selection.n_grid + 7)
    mean[hot] += 1e5
    found = without_lone_pixels(raw, mean)
    assert np.flatnonzero(found.pixels.bad & ~raw.pixels.bad).tolist() == hot
    assert found.flags[-1].startswith(f"{instrument.name}: {len(hot)} pixel")


def test_saturation_is_a_share_of_the_light(open_visit):
    """Guards against a share of pixels, light of bad ones that counts, a sensor that lost its star."""
    raw = open_visit(FGS1)
    n, mean = raw.selection.n_grid, np.zeros(len(raw.selection))
    mean[:4] = 70.0, 20.0, 10.0, 1e6
    raw = replace(raw, pixels=replace(raw.pixels, bad=np.arange(len(mean)) == 3))
    saturated = np.arange(len(mean)) == 0
    assert measure_saturation(raw, Sample(mean, saturated)) == (
        0.7,
        ["FGS1: 1 saturated pixel, 70% of the light"],
    )
    assert measure_saturation(raw, Sample(mean, np.zeros(len(mean), bool))) == (0.0, [])
    saturated[:n] = True
    with pytest.raises(DataError, match="saturates.*FGS1.*100%"):
        measure_saturation(raw, Sample(mean, saturated))


def test_a_flux_of_noise_is_no_star(open_visit):
    """Guards against a light curve of noise, and of NaN."""
    raw = open_visit(FGS1)
    require_star(raw, 31.0, noise=10.0)
    for level in (29.0, -1e6, np.nan):
        with pytest.raises(DataError, match="no star.*FGS1"):
            require_star(raw, level, noise=10.0)
