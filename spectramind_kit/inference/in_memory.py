"""Spectra in one call, in memory: no run folder, no label; the numbers of 03_submit (`spectra`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pandas as pd

from spectramind_kit.detector import LightCurve, VisitFiles, extract_light_curve, read_shared_tables
from spectramind_kit.detector.spectral_axis import bin_order
from spectramind_kit.errors import DataError
from spectramind_kit.inference.bundle import Bundle
from spectramind_kit.inference.flat_depth import flat_depths
from spectramind_kit.inference.planet_spectra import PlanetSpectra
from spectramind_kit.inference.predictors import as_read, predict_anchors
from spectramind_kit.inference.rerun_inputs import in_order
from spectramind_kit.inference.spectra import (
    FoundPlanets,
    finished,
    has_network,
    low_rungs,
    with_anchors,
    with_network,
)
from spectramind_kit.inference.star_table import star_table
from spectramind_kit.inference.uncertainty import NETWORK
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.runtime import Device, probe_device
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.measurement_jobs import MeasurementJob, run_jobs
from spectramind_kit.training.measurements import star_rows
from spectramind_kit.training.pretrained import is_direct
from spectramind_kit.transit.flags import TABLE_INCOMPLETE

Visits = (
    LightCurve
    | VisitFiles
    | Iterable[LightCurve | VisitFiles]
    | Mapping[int, Sequence[LightCurve | VisitFiles]]
)


def predict(
    bundle: Bundle | None,
    visits: Visits,
    *,
    stars: pd.DataFrame | pd.Series | Mapping[str, float],
    workers: int = 1,
    device: str = "auto",
) -> PlanetSpectra:
    """The spectrum of every planet, as 03_submit would submit it.

    Parameters
    ----------
    bundle : `load_bundle`, or None
        What a training has learned. Without one: the network as it comes with the kit, which no label has
        taught, else flat depths.
    visits : light curves, or files from `find_visits`
        One, a sequence, or a mapping planet_id -> visits; those of a planet are fitted together. Files are
        read one after the other with the bundle's own settings, 1.4 s each: make the light curves of many
        with `build_light_curves`. Light curves should be made with ``bundle.detector_settings``.
    stars : the star table, planet_id in the index or in a column; for one planet also its row alone
        A planet without a row is measured with typical values, and flagged.
    workers : int
        Processes for the measurements of more than 40 planets; 0.2 CPU s a planet.
    device : ``auto``, ``cpu`` or ``cuda`` for the network, and for many measurements

    Returns
    -------
    PlanetSpectra
        N planets in the order in which they first appear. One that breaks keeps a lower rung (source), and
        its flags say why.

    Raises
    ------
    DataError
        A mistake of the caller: no visit, other wavelengths than the bundle's, a star table that holds none
        of the planets. An error of the network is not caught.
    """
    _check_bundle(bundle, "predict")
    given = _Given.of(bundle, visits)
    stars, chosen = star_table(stars, given.planet_ids), probe_device(device)
    found, failed = _measured(bundle, given, stars, workers=workers, device=chosen)
    spectra = low_rungs(found, bundle, planet_ids=given.planet_ids, wavelength_um=given.known_um)
    spectra, anchors, without = with_anchors(spectra, found, bundle)
    if has_network(bundle):
        spectra = with_network(spectra, found, bundle, anchors=anchors, stars=stars, device=chosen)
    spectra = finished(spectra, bundle, order=given.order)
    reasons = {planet: f"no anchor: {why}" for planet, why in (failed | without).items()}
    if bundle is None:
        reasons = _without_bundle(spectra, given, stars)
    flags = [_flags(planet, given, found, reasons) for planet in given.planet_ids]
    joined = np.array(["; ".join(own) for own in flags], dtype=str)
    return PlanetSpectra(replace(spectra, flags=joined), tuple(flags))


def network_inputs(
    bundle: Bundle, visits: Visits, *, stars: pd.DataFrame | pd.Series | Mapping[str, float]
) -> VisitDataset:
    """What the bundle's network reads of visits: ``inputs.batch(rows)`` for `Bundle.network`.

    ``inputs.planet_id`` (V,) says whose each row is. Arguments as for `predict`. Raises DataError where there
    is no visit with a transit in it, or the bundle has no network.
    """
    _check_bundle(bundle, "network_inputs", without=False)
    given = _Given.of(bundle, visits)
    stars, found, anchors = star_table(stars, given.planet_ids), FoundPlanets(given.light_curves), {}
    if not is_direct(bundle.config["model"]):
        found, _ = _measured(bundle, given, stars, workers=1, device=probe_device("cpu"))
        anchors, _ = predict_anchors(bundle, found.measurements)
    read = {"measurements": found.measurements, "anchors": anchors, "stars": stars}
    inputs = as_read(bundle, found.light_curves, **read) if bundle.weights else None
    if inputs is None:
        what = "the network can read none of the visits" if bundle.weights else "the bundle has no network"
        fix = "see the flags that `predict` gives them" if bundle.weights else "train with a network"
        raise DataError(what, where="network_inputs", expected="a transit in the light curve", fix=fix)
    return inputs


@dataclass(frozen=True)
class _Given:
    """The visits by planet, read and in the bundle's order of bins."""

    light_curves: dict[int, list[LightCurve]]  # of planets with a visit that could be read
    unread: dict[int, list[str]]  # of every planet, in words
    known_um: np.ndarray  # (283,) wavelengths of these light curves
    order: np.ndarray | None  # (283,) of the caller's bins among them; None where it is the same

    @property
    def planet_ids(self) -> list[int]:
        return list(self.unread)

    @classmethod
    def of(cls, bundle: Bundle | None, visits: Visits) -> _Given:
        read, unread = _read(bundle, _listed(visits))
        if not unread:
            raise DataError("no visit was given", where="predict", fix="pass light curves or `find_visits`")
        curves = list(chain.from_iterable(read.values()))
        if bundle is None and not curves:
            return cls({}, unread, np.full(283, np.nan), None)
        known = bundle.prior.wavelength_um if bundle else curves[0].wavelength_um
        orders = [bin_order(curve.wavelength_um, known) for curve in curves]
        for curve, order in zip(curves, orders):
            if order is None or not np.array_equal(order, orders[0]):
                raise DataError(
                    "a light curve has other wavelengths than the bundle or the other visits",
                    where=f"planet {curve.planet_id}, visit {curve.visit}",
                    expected=_in_words(known),
                    found=_in_words(curve.wavelength_um),
                    fix="use the wavelengths.csv that the bundle was trained with",
                )
        if not orders or np.array_equal(orders[0], np.arange(len(known))):
            return cls(read, unread, known, None)
        ordered = {planet: [in_order(curve, known) for curve in own] for planet, own in read.items()}
        return cls(ordered, unread, known, orders[0])


def _in_words(wavelength_um: np.ndarray) -> str:
    return f"{wavelength_um[0]:.4g}, {wavelength_um[1]:.4g} … {wavelength_um[-1]:.4g} µm"


def _check_bundle(bundle: Bundle | None, where: str, *, without: bool = True) -> None:
    if not isinstance(bundle, Bundle) and not (bundle is None and without):
        expected = "load_bundle(folder)" + (", or None" if without else "")
        raise DataError("no bundle was given", where=where, expected=expected, found=repr(bundle)[:80])


def _listed(visits: Visits) -> list[LightCurve | VisitFiles]:
    if isinstance(visits, Mapping):
        for planet, own in visits.items():
            apart = [v.planet_id for v in _listed(own) if v.planet_id != planet]
            if apart:
                what, fix = "a visit stands under another planet's id", "use the ids of the visits"
                found = f"planet {apart[0]}"
                raise DataError(what, where="predict", expected=f"planet {planet!r}", found=found, fix=fix)
        return list(chain.from_iterable(_listed(own) for own in visits.values()))
    one = isinstance(visits, (LightCurve, VisitFiles)) or not isinstance(visits, Iterable)
    listed = [visits] if one else list(visits)
    odd = [visit for visit in listed if not isinstance(visit, (LightCurve, VisitFiles))]
    if odd:
        expected, found = "LightCurve, or VisitFiles from `find_visits`", type(odd[0]).__name__
        raise DataError("a visit is no visit", where="predict", expected=expected, found=found)
    return listed


def _read(
    bundle: Bundle | None, visits: Sequence[LightCurve | VisitFiles]
) -> tuple[dict[int, list[LightCurve]], dict[int, list[str]]]:
    """Light curves by planet, and what could not be read, with the reason."""
    read: dict[int, list[LightCurve]] = {}
    unread: dict[int, list[str]] = {visit.planet_id: [] for visit in visits}
    settings = bundle.detector_settings if bundle else None
    tables = {}
    for visit in visits:
        if isinstance(visit, VisitFiles):
            data_dir = visit.folder.parent.parent
            try:
                if data_dir not in tables:
                    tables[data_dir] = read_shared_tables(data_dir, **(bundle.stand_ins if bundle else {}))
                given = {name: getattr(tables[data_dir], name) for name in ("axis", "adc", "wavelength_um")}
                visit = extract_light_curve(visit, settings=settings, **given)
            except DataError as error:
                unread[visit.planet_id].append(f"visit {visit.visit} cannot be read: {error}")
                continue
        read.setdefault(visit.planet_id, []).append(visit)
    return read, unread


def _measured(
    bundle: Bundle | None, given: _Given, stars: pd.DataFrame, *, workers: int, device: Device
) -> tuple[FoundPlanets, dict[int, str]]:
    """What the planets show, and why some could not be measured; without a bundle nothing is measured."""
    curves = given.light_curves
    if bundle is None:
        return FoundPlanets(curves, flat_depths(curves)), {}
    rows, _ = star_rows(stars, curves)
    jobs = [MeasurementJob(None, own, rows[planet]) for planet, own in curves.items()]
    gpu = device.name if device.kind == "cuda" else None
    results = dict(run_jobs(jobs, settings=bundle.anchor_settings, workers=workers, gpu=gpu))
    failed = {planet: why for planet, why in results.items() if isinstance(why, str)}
    measured = {planet: results[planet] for planet in curves if planet not in failed}
    return FoundPlanets(curves, flat_depths(curves), measured), failed


def _flags(planet: int, given: _Given, found: FoundPlanets, reasons: Mapping[int, str]) -> tuple[str, ...]:
    """What was noticed, and why a visit or the anchor is missing."""
    return (*found.flags(planet), *given.unread[planet], *([reasons[planet]] if planet in reasons else []))


def _without_bundle(spectra: Predictions, given: _Given, stars: pd.DataFrame) -> dict[int, str]:
    """What is to be said of planets that nothing has measured."""
    said: dict[int, list[str]] = {}
    for planet, source in zip(given.planet_ids, spectra.source.tolist()):
        if planet in given.light_curves and source != NETWORK:
            what = "no transit is found, or the wavelengths are not those of the weights"
            said.setdefault(planet, []).append(f"no network: {what}")
        if planet not in stars.index:
            said.setdefault(planet, []).append(TABLE_INCOMPLETE)
    return {planet: "; ".join(texts) for planet, texts in said.items()}
