"""One planet's page: light curves with model and residuals, spectrum, orbit, flags in words, source.

The report holds one for every planet, closed until it is opened; a notebook shows one by `planet_page`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from spectramind_kit.diagnostics import flag_words, sources
from spectramind_kit.diagnostics.bands import SENSOR_TITLES, SENSORS
from spectramind_kit.diagnostics.figures.style import COLOURS, PPM, counted, number
from spectramind_kit.diagnostics.judged import rms
from spectramind_kit.diagnostics.planet_numbers import PlanetNumbers, numbers_of
from spectramind_kit.diagnostics.vector_chart import Panel, chart
from spectramind_kit.diagnostics.visits import WhiteLightCurve, load_visits
from spectramind_kit.errors import DataError
from spectramind_kit.run_folder.predictions import Predictions
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.runtime import one_torch_thread

_FGS1_AT_UM = 1.72  # FGS1 (0.7 µm) stands beside AIRS-CH0: the gap between them is empty
_TICKS_UM = {_FGS1_AT_UM: "FGS1", **{v: f"{v:g}" for v in (2.0, 2.5, 3.0, 3.5)}}
_FLUX, _RESIDUAL, _SPECTRUM = (60, 1150), (1250, 1850), (60, 1850)  # tenths of a pixel
_HEIGHT = 2190
_DASH = "display:inline-block;width:1.3rem;height:0.4rem;border-radius:0.2rem;vertical-align:middle;"


@dataclass(frozen=True)
class PlanetPage:
    """The HTML of one planet; shows itself in a notebook."""

    planet_id: int
    html: str

    def _repr_html_(self) -> str:
        grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));background:white"
        return f"<h4>planet {self.planet_id}</h4>" + self.html.replace('class="charts"', f'style="{grid}"')


def planet_page(run: RunResults | str | Path, planet_id: int) -> PlanetPage:
    """The page of one planet of a run, or of the run in a folder.

    Raises
    ------
    DataError
        The run holds no prediction of this planet.
    """
    run = run if isinstance(run, RunResults) else open_run(run)
    numbers = numbers_of(run, int(planet_id))
    if numbers is None:
        what = "the run holds no prediction of this planet"
        raise DataError(what, where=f"planet {planet_id}, {run.root}", fix="take a planet of planets.csv")
    return PlanetPage(numbers.planet_id, page_html(run, numbers))


def page_html(run: RunResults, numbers: PlanetNumbers, *, pictures: bool = True) -> str:
    """The page's content; without ``pictures`` its numbers and words alone."""
    predictions = run.test if numbers.set == "test" else run.oof
    row = predictions.rows_of([numbers.planet_id])[0]
    drawn, missing = _charts(run, numbers, predictions, row) if pictures else ([], "")
    parts = [f"<p>{escape(text)}</p>" for text in _sentences(numbers)]
    if drawn:
        parts.append(f'<div class="charts">{"".join(drawn)}</div>{_key(predictions, row)}')
    if missing:
        parts.append(f'<p class="note">No light curve is drawn: {escape(missing)}</p>')
    told = "".join(f"<li>{escape(flag_words.in_words(flag))}</li>" for flag in numbers.flags)
    flags = f"<p>Flags:</p><ul>{told}</ul>" if told else "<p>No flags.</p>"
    return "".join([*parts, flags])


def _sentences(numbers: PlanetNumbers) -> list[str]:
    """Source, depths, orbit."""
    share = np.r_[numbers.network_share_fgs1, np.full(2, numbers.network_share_airs)]
    told = [f"Where the spectrum comes from: {sources.in_words(numbers.source, share)}."]
    depth = f"Depth: FGS1 {numbers.fgs1_depth_ppm:.0f} ± {numbers.fgs1_sigma_ppm:.0f} ppm, "
    depth += f"AIRS-CH0 {numbers.airs_depth_ppm:.0f} ± {numbers.airs_sigma_ppm:.0f} ppm in the mean"
    if np.isfinite(numbers.airs_error_ppm):
        errors = (number(numbers.fgs1_error_ppm, "+.0f"), number(numbers.airs_error_ppm, "+.0f"))
        pulls = (number(numbers.fgs1_pull, "+.1f"), f"{numbers.airs_pull_rms:.1f}")
        depth += (
            f"; prediction − truth: FGS1 {errors[0]} ppm ({pulls[0]} σ), AIRS-CH0 {errors[1]} ppm in the mean"
        )
        depth += f" ({pulls[1]} σ rms)"
    told.append(depth + ".")
    if np.isfinite(numbers.period_d):
        told.append(
            f"Orbit, as fitted to {counted(numbers.visits, 'visit')}: period {numbers.period_d:.4g} d, "
            f"a/Rs {numbers.semi_major_axis:.3g}, impact parameter {numbers.impact_parameter:.2f}, "
            f"transit {numbers.duration_h:.2f} h long, its middle {numbers.mid_transit_time_h:.2f} h after "
            f"the visit's start; χ² per degree of freedom FGS1 {numbers.fgs1_chi2:.2f}, "
            f"AIRS-CH0 {numbers.airs_chi2:.2f}."
        )
    return told


def _charts(
    run: RunResults, numbers: PlanetNumbers, predictions: Predictions, row: int
) -> tuple[list[str], str]:
    """The pictures, and why those of the light curves are missing."""
    drawn, missing = [], ""
    try:
        with one_torch_thread():
            views = load_visits(run, numbers.planet_id)
            for view in views:
                for sensor, bins in SENSORS.items():
                    of = f", visit {view.curve.visit}" if len(views) > 1 else ""
                    drawn.append(_light_curve(view.white(bins), f"{SENSOR_TITLES[sensor]}{of}"))
    except DataError as error:
        missing = error.what
    return [*drawn, _spectrum(predictions, row)], missing


def _light_curve(curve: WhiteLightCurve, title: str) -> str:
    good = curve.good
    time, residual = curve.time[good], PPM * curve.residual[good]
    flux = Panel.between([curve.time], [curve.flux[good], curve.model], top=_FLUX[0], bottom=_FLUX[1])
    left = Panel.between(
        [curve.time], [residual, np.zeros(1)], top=_RESIDUAL[0], bottom=_RESIDUAL[1], pad=0.2
    )
    parts = [
        *(flux.frame("relative flux"), flux.dots(time, curve.flux[good], "data")),
        flux.line(curve.time, curve.model, "anchor", width=18),
        *(
            left.frame("residual (ppm)", xlabel="time from the visit's start (h)"),
            left.dots(time, residual, "data"),
        ),
        left.line(left_and_right := curve.time[[0, -1]], np.zeros_like(left_and_right), "anchor"),
    ]
    told = "no measurement"
    if residual.size:
        told = f"rms {residual.std():.0f} ppm, expected {PPM * rms(curve.error[good]):.0f}"
    picture = chart(parts, height=_HEIGHT, label=f"{title}: white light curve, model and residuals; {told}")
    return f"<figure><figcaption>{escape(title)}: {told}</figcaption>{picture}</figure>"


def _spectrum(predictions: Predictions, row: int) -> str:
    um = predictions.wavelength_um
    mean, sigma = PPM * predictions.depth_mean[row], PPM * predictions.depth_sigma[row]
    others = [("anchor", -0.04, None if sources.is_anchor(predictions, row) else predictions.anchor_depth)]
    others.append(("truth", 0.04, predictions.depth))
    others = [(name, shift, PPM * depth[row]) for name, shift, depth in others if depth is not None]
    shown = [mean - sigma, mean + sigma, *(depth for name, _, depth in others if name == "truth")]
    panel = Panel.between([um[1:], [_FGS1_AT_UM - 0.08]], shown, top=_SPECTRUM[0], bottom=_SPECTRUM[1])
    at, fgs1 = np.array([_FGS1_AT_UM]), slice(0, 1)
    parts = [
        panel.frame("transit depth (ppm)", x_ticks=_TICKS_UM, xlabel="wavelength (µm)", most=6),
        panel.band(um[1:], (mean - sigma)[1:], (mean + sigma)[1:], "final"),
        panel.line(um[1:], mean[1:], "final"),
        panel.line(np.repeat(at, 2), np.array([mean[0] - sigma[0], mean[0] + sigma[0]]), "final"),
        panel.dots(at, mean[fgs1], "final", size=80),
    ]
    for name, shift, depth in others:
        parts.append(panel.line(um[1:], depth[1:], name, width=11, dashed=name == "anchor"))
        parts.append(panel.dots(at + shift, depth[fgs1], name, size=70))
    picture = chart(parts, height=_HEIGHT, label="transit depth by wavelength with its error band")
    return f"<figure><figcaption>spectrum</figcaption>{picture}</figure>"


def _key(predictions: Predictions, row: int) -> str:
    """What the colours mean, on every page: it is read alone."""
    same = sources.is_anchor(predictions, row)
    spectrum = "prediction with its 1σ band" + (" (its depths are the anchor's)" if same else "")
    names = [
        ("data", "measured"),
        ("anchor", "anchor: the fitted transit" + ("" if same else ", and its spectrum")),
    ]
    names += [("final", spectrum)] + [("truth", "known depths")] * (predictions.depth is not None)
    return f'<p class="key">{swatches(names)}</p>'


def swatches(names: Sequence[tuple[str, str]]) -> str:
    """A dash of colour before each word, also where there is no ``report.css``: in a notebook."""
    return " ".join(
        f'<span><i style="{_DASH}background:{COLOURS[name]}"></i> {escape(text)}</span>'
        for name, text in names
    )
