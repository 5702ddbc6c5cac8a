"""Real against simulated: every number that the simulator is meant to match, measured on what it makes.

Rows come from three places: the tables of a simulated data set, what is true of its planets, and frames
(`comparison_frames`). The real numbers: docs/decisions.md D7, D8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1, VISIT_H
from spectramind_kit.simulator.shape_width import shapes_of, unexplained_share
from spectramind_kit.simulator.stars_planets import kepler_axis
from spectramind_kit.simulator.visit import VisitTruth
from spectramind_kit.simulator.wavelengths import grid_to_bins
from spectramind_kit.transit import contact_times

TOLERANCE = 0.15


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    quantity: str
    real: str
    simulated: str
    agrees: bool
    reason: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


def number(quantity: str, real: float, simulated: float, *, reason: str = "", slack: float = 0.0) -> Row:
    """A number agrees within 15 %, or within ``slack`` where it may be near zero."""
    agrees = abs(simulated - real) <= max(TOLERANCE * abs(real), slack)
    return _row(quantity, (real,), (simulated,), agrees, reason)


def spread(quantity: str, real: tuple[float, float], values, *, reason: str = "") -> Row:
    """A range agrees when the central 98 % of the values lie in it (± 15 %s width) and fill half."""
    values = np.asarray(values, float)
    low, high = np.percentile(values, [1, 99])
    width = real[1] - real[0]
    inside = low >= real[0] - TOLERANCE * width and high <= real[1] + TOLERANCE * width
    agrees = inside and high - low >= 0.5 * width
    return _row(quantity, real, (values.min(), values.max()), agrees, reason)


def _row(quantity: str, real, simulated, agrees, reason: str) -> Row:
    real, simulated = (" … ".join(f"{value:.4g}" for value in values) for values in (real, simulated))
    return Row(quantity, real, simulated, bool(agrees), "" if agrees else reason)


def star_rows(stars) -> list[Row]:
    """From the catalogue table (columns Rs Ms Ts Mp e P sma i)."""
    rows = []
    for name, limits, median in (
        ("Rs", (0.65, 2.9), 1.23),
        ("Ms", (0.6, 1.8), 1.10),
        ("Ts", (4236, 6979), 5887),
        ("Mp", (0.05, 25), 0.94),
        ("P", (2.8, 7.6), 5.2),
        ("sma", (4.2, 20.9), 10.5),
        ("i", (85.6, 90.0), 88.5),
    ):
        if name == "Mp":  # over three decades: the range in logarithms
            rows.append(spread("log10 Mp, range", tuple(np.log10(limits)), np.log10(stars.Mp)))
        else:
            rows.append(spread(f"{name}, range", limits, stars[name]))
        rows.append(number(f"{name}, median", median, float(stars[name].median())))
    about = np.log(stars.sma / kepler_axis(stars.P, stars.Ms, stars.Rs))
    return [*rows, number("catalogue a/Rs about Kepler, scatter %", 6.5, 100 * float(about.std()))]


def orbit_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """Impact parameters, durations, mid-transit times, limb darkening."""
    planets = [v.planet for v in visits]
    contacts = contact_times(
        mid_transit_time=0.0,
        period_d=np.array([p.period_d for p in planets]),
        semi_major_axis=np.array([p.semi_major_axis for p in planets]),
        radius_ratio=np.sqrt([p.depth for p in planets]),
        impact_parameter=np.array([p.impact_parameter for p in planets]),
    )
    total = 2.0 * contacts.fourth.numpy()
    ingress = 60.0 * (contacts.fourth - contacts.third.nan_to_num(0.0)).numpy()  # min; NaN: the planet grazes
    catalogue_b = [p.catalogue_impact_parameter for p in planets]
    rows = [
        *(
            number(f"impact parameter (catalogue), {q} %", real, _at(catalogue_b, q), slack=0.03)
            for q, real in ((5, 0.0), (50, 0.27), (95, 0.66))
        ),
        *(number(f"T14, {q} %, h", real, _at(total, q)) for q, real in ((5, 2.5), (50, 3.9), (95, 6.0))),
        *(number(f"ingress, {q} %, min", real, _at(ingress, q)) for q, real in ((5, 18.0), (95, 42.0))),
        spread(
            "mid-transit time, h",
            (3.0, 4.5),
            [v.mid_transit_time for v in visits],
            reason="uniform 3.0–4.5 but for 3 %, which begin or end far off: incomplete transits",
        ),
    ]
    usual = [v.limb_darkening for v in visits if 5000 <= v.planet.star.temperature_k <= 6000]
    u = grid_to_bins(np.array(usual))  # (N, 2, 283)
    for bins, name, reals in ((slice(0, 1), "FGS1", (0.48, 0.12)), (slice(1, None), "AIRS", (0.12, 0.13))):
        for k, real in enumerate(reals):
            value = float(u[:, k, bins].mean(1).mean())
            rows.append(number(f"limb darkening {name} u{k + 1}, 5000–6000 K", real, value))
    return rows


def _at(values, percent: float) -> float:
    return float(np.percentile(values, percent))


def label_rows(labels: np.ndarray) -> list[Row]:
    """From the table of labels (N, 283)."""
    airs = labels[:, 1:]
    spread_within, offset = airs.std(1), labels[:, 0] - airs.mean(1)
    ratio = np.abs(offset) / spread_within
    shape = shapes_of(labels)
    rough = shape - np.apply_along_axis(np.convolve, 1, shape, np.ones(3) / 3.0, mode="same")
    correlation = [np.correlate(v, v, "full")[len(v) - 1 :] for v in shape]
    width = [int(np.argmax(c < 0.5 * c[0])) for c in correlation]
    tails = "the real numbers are read off a scatter plot, which overweights the tails"
    return [
        spread("depth, range", (0.0037, 0.080), labels.mean(1)),
        number("depth, mean", 0.0146, float(labels.mean())),
        number("depth, std", 0.0107, float(labels.std())),
        *(
            number(f"std within a spectrum, {q} %, ppm", real, _at(spread_within * 1e6, q), reason=tails)
            for q, real in ((5, 1.7), (25, 12.0), (50, 50.0), (75, 165.0), (95, 657.0))
        ),
        number("|FGS1 − AIRS mean| over that std, median", 1.8, float(np.median(ratio))),
        number("|FGS1 − AIRS mean| over that std, 95 %", 10.0, _at(ratio, 95), reason=tails),
        number("largest |FGS1 − AIRS mean|", 1e-2, float(np.abs(offset).max()), slack=5e-3),
        number("residual to a 3-bin mean over the std", 0.029, float(np.median(rough[:, 2:-2].std(1)))),
        number("half width of the autocorrelation, bins", 21.0, float(np.median(width))),
    ]


def width_rows(labels: np.ndarray, references: Mapping[str, np.ndarray]) -> list[Row]:
    """What of the shapes of real spectra ``references`` the components of 800 simulated ones leave, in per
    cent."""
    rows = []
    for name, spectra in references.items():
        for count, most in ((20, 4.0), (7, 24.0)):
            share = 100 * unexplained_share(labels[:800], spectra, components=count)
            quantity = f"unexplained_{count} of {name}, % (at most)"
            rows.append(Row(quantity, f"{most:.4g}", f"{share:.4g}", share <= most))
    return rows


def light_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """Stellar flux, foreground and drift."""
    level = [grid_to_bins(v.level) for v in visits]
    total = [star[1:].sum() * AIRS.exposure_s / 1e6 for star in level]
    fgs1 = [star[0] * FGS1.exposure_s / 1e3 for star in level]
    wider = "two real stars only; widened on purpose, a few saturate"
    time = np.linspace(0.0, VISIT_H, 200)
    drift = [grid_to_bins(v.drift.factor(time)) for v in visits]
    white = [np.ptp((d * star)[:, 1:].sum(1) / star[1:].sum()) for d, star in zip(drift, level, strict=True)]
    rms, fgs1_drift = [d[:, 1:].std() for d in drift], [np.ptp(d[:, 0]) for d in drift]
    beyond = np.abs([v.drift.time_coefficients[0, 2] / v.drift.time_coefficients[0, 1] for v in visits])
    sky = np.array([grid_to_bins(v.foreground) for v in visits])
    airs = sky[:, 1:] * AIRS.exposure_s
    return [
        number("AIRS flux, M e⁻ per 4.5 s, median", 14.5, float(np.median(total))),
        spread("AIRS flux, M e⁻ per 4.5 s", (13.0, 16.0), total, reason=wider),
        number("FGS1 flux, k e⁻ per 0.1 s, median", 265.0, float(np.median(fgs1))),
        spread("FGS1 flux, k e⁻ per 0.1 s", (220.0, 310.0), fgs1, reason=wider),
        *(
            number(f"white AIRS drift, peak to peak, {q} %, ppm", real, 1e6 * _at(white, q))
            for q, real in ((5, 100.0), (50, 1017.0), (95, 3380.0))
        ),
        number("AIRS drift over time and wavelength, rms, ppm", 334.0, 1e6 * float(np.median(rms))),
        number("drift, quadratic over linear term", 0.61, float(np.median(beyond))),
        number("FGS1 drift, peak to peak, ppm", 709.0, 1e6 * float(np.median(fgs1_drift))),
        number("foreground of AIRS, e⁻ per pixel, median", 10.7, float(np.median(airs.mean(1)))),
        number("foreground at 2.1 µm, e⁻ per pixel", 21.0, float(np.median(airs[:, 22]))),
        number("foreground at 3.9 µm, e⁻ per pixel", 6.0, float(np.median(airs[:, -1]))),
        number("foreground of FGS1, e⁻ per pixel", 1.5, FGS1.exposure_s * float(np.median(sky[:, 0]))),
    ]


def table_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """The star table against the truth."""
    planets = [v.planet for v in visits]
    b = np.array([p.catalogue_impact_parameter - p.impact_parameter for p in planets])
    axis = np.log([p.catalogue_semi_major_axis / p.semi_major_axis for p in planets])
    folded = "b cannot be negative, so a table with b near 0 is off by less"
    return [
        number("impact parameter off by, rms", 0.15, float(np.sqrt((b**2).mean())), reason=folded),
        number(
            "a/Rs off by, median of the absolute, %", 3.0, 100 * float(np.median(np.abs(axis))), slack=0.6
        ),
        spread("a/Rs off by a factor, largest", (1.0, 1.9), np.exp(np.abs(axis))),
    ]
