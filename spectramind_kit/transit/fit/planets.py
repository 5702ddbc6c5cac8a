"""From the light curves of planets to the likelihood of their spectra. No label enters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from spectramind_kit.transit.fit.batch import DATA_FAULTS, fit_batch
from spectramind_kit.transit.fit.planet_case import PlanetCase
from spectramind_kit.transit.fit.problem import Assumptions
from spectramind_kit.transit.fit.second_look import second_look
from spectramind_kit.transit.fit.summary import no_information
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement
from spectramind_kit.transit.priors.nuisance_prior import NuisancePrior
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


def measure_depths(
    light_curves: Sequence[LightCurve],
    star: Mapping[str, float],
    *,
    settings: AnchorSettings | None = None,
    prior: NuisancePrior | None = None,
    device: torch.device | str = "cpu",
) -> DepthMeasurement:
    """Fit all visits of one planet together and return the likelihood of its 283 depths.

    Parameters
    ----------
    light_curves : one or more LightCurve of one planet
        ``flux`` (T, W) and ``flux_err`` in e- per exposure, FGS1 first; any T from a dozen up, missing points
        NaN.
    star : mapping
        Row of the star table: P (d), sma (a/Rs), i (deg), Ts (K), Ms, Rs. Missing entries take typical
        values.
    settings, prior
        Assumptions of the fit; ``prior`` takes learned nuisance priors for a second pass.
    device
        Where the fit runs, in float64.

    Returns
    -------
    DepthMeasurement
        Never raises for data that cannot be fitted: the flags then say why and the information is (almost)
        nothing, so the anchor falls back to the prior with its width.

    Raises
    ------
    DataError
        No light curve was given, or they are of different planets or wavelengths: a mistake of the caller.
    """
    return measure_together([(light_curves, star)], settings=settings, prior=prior, device=device)[0]


def measure_together(
    planets: Sequence[tuple[Sequence[LightCurve], Mapping[str, float]]],
    *,
    settings: AnchorSettings | None = None,
    prior: NuisancePrior | None = None,
    device: torch.device | str = "cpu",
) -> list[DepthMeasurement]:
    """`measure_depths` of many planets in one go: the same numbers, but the fits share their tensors.

    Parameters
    ----------
    planets : (light curves, star table row) of each planet
        A few dozen at a time on a CPU, a few hundred on a GPU: all their light curves are in memory at once.

    Returns
    -------
    list of DepthMeasurement
        In the order given. A planet that breaks the fit of its batch is fitted again by itself, at last on
        the CPU, so it costs only itself.
    """
    settings = settings or AnchorSettings()
    assumptions = Assumptions(settings, prior or NuisancePrior.from_settings(settings), device)
    cases = [PlanetCase.of(list(curves), star, settings=settings) for curves, star in planets]
    fit = partial(_fit_in_groups, assumptions=assumptions)
    return second_look(cases, fit(cases), fit)


def _fit_in_groups(cases: Sequence[PlanetCase], assumptions: Assumptions) -> list[DepthMeasurement]:
    """Planets of equal shape together."""
    groups: dict[tuple, list[int]] = {}
    for k, case in enumerate(cases):
        groups.setdefault(case.shape, []).append(k)
    found: dict[int, DepthMeasurement] = {}
    for members in groups.values():
        found.update(zip(members, _fit_or_halve([cases[k] for k in members], assumptions)))
    return [found[k] for k in range(len(cases))]


def _fit_or_halve(group: list[PlanetCase], assumptions: Assumptions) -> list[DepthMeasurement]:
    """Planets of equal shape; halved until whatever breaks a batch stands alone."""
    if not group[0].visits:
        return [no_information(case) for case in group]
    try:
        with torch.no_grad():
            return fit_batch(group, assumptions)
    except DATA_FAULTS as error:  # a GPU's lack of memory is one too: half of the planets may fit
        if len(group) == 1 and torch.device(assumptions.device).type != "cpu":
            return _fit_or_halve(group, replace(assumptions, device="cpu"))
        if len(group) == 1:
            return [no_information(group[0], error)]
    half = len(group) // 2
    return _fit_or_halve(group[:half], assumptions) + _fit_or_halve(group[half:], assumptions)
