"""The images of a star on both sensors, by the optics that a simulation asks for."""

from __future__ import annotations

from functools import cache

from spectramind_kit.simulator import focal_plane, pupil_optics
from spectramind_kit.simulator.focal_plane import PixelMaps
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths


@cache
def star_images(optics: str) -> tuple[PixelMaps, PixelMaps]:
    """(FGS1 (32, 32), AIRS-CH0 (32, 356): the profile of each column)."""
    of = {"pupil": pupil_optics, "gaussian": focal_plane}[optics]
    return of.fgs1_psf(), of.airs_profiles(airs_column_wavelengths())
