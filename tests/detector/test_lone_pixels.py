"""Pixels that shine by themselves are found; a PSF, a spectrum, dead and noisy pixels are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.detector.lone_pixels import find_lone_corners, find_lone_pixels

ROW, COLUMN = np.mgrid[:16, :16]
PSF = 25_000 * np.exp(-0.5 * ((ROW - 7.4) ** 2 + (COLUMN - 8.2) ** 2) / 0.7**2)  # narrower than Ariel's
SPECTRUM = np.exp(-0.5 * ((np.arange(16) - 7.6) / 1.2) ** 2)[:, None] * np.linspace(2e3, 2e4, 282)


def found(
    image: np.ndarray, *, bad: np.ndarray | None = None, by_column: bool = False
) -> list[tuple[int, int]]:
    bad = np.zeros(image.shape, bool) if bad is None else bad
    which = find_lone_pixels(image.ravel(), image.shape, bad=bad.ravel(), by_column=by_column)
    return [tuple(map(int, at)) for at in np.argwhere(which.reshape(image.shape))]


@pytest.mark.parametrize(
    "image,by_column", [(PSF, False), (SPECTRUM, True), (1e-3 * PSF, False), (np.zeros((16, 16)), False)]
)
def test_light_of_a_star_is_left_alone(image, by_column):
    """Guards against the loss of the brightest pixels, and of noisy ones beside a faint star."""
    noise = 4.0 * np.random.default_rng(0).standard_normal(image.shape)
    assert found(image + noise, by_column=by_column) == []
    dead = np.random.default_rng(1).random(image.shape) < 0.05
    assert found(np.where(dead, 0.0, image + noise), bad=dead, by_column=by_column) == []


@pytest.mark.parametrize("image,by_column", [(PSF, False), (SPECTRUM, True)])
@pytest.mark.parametrize("hot", [[(11, 12)], [(8, 8)], [(11, 12), (11, 13)], [(0, 0)]])
def test_hot_pixels_are_found(image, by_column, hot):
    """Guards against light that does not follow the star: one pixel at 100 ke⁻ halved FGS1's depth."""
    image = image.copy()
    for at in hot:
        image[at] += 1e5
    # a corner has too few neighbours
    assert found(image, by_column=by_column) == ([] if hot == [(0, 0)] else hot)


def test_corners():
    """Guards against one hot pixel in FGS1's corners that passes for foreground in all pixels."""
    mean = 2.0 + 0.5 * np.random.default_rng(0).standard_normal(64)
    assert not find_lone_corners(mean, bad=np.zeros(64, bool)).any()
    mean[7] = 400.0
    assert np.flatnonzero(find_lone_corners(mean, bad=np.zeros(64, bool))).tolist() == [7]
    assert not find_lone_corners(mean, bad=mean > 100).any()
