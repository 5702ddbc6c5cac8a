"""Real against simulated: every number that the simulator is meant to match, measured on what it makes.

Rows come from three places: the tables of a simulated data set, what is true of its planets, and frames
(`comparison_frames`). The real numbers: docs/decisions.md D7, D8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1, VISIT_H
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
    shape = airs - airs.mean(1, keepdims=True)
    whole, power = (np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2 for x in (labels, shape))
    seven = float(100 * whole[:7].sum() / whole.sum())
    components = enumerate(zip((73.0, 22.0, 3.0), 100 * power / power.sum()), start=1)
    return [
        spread("depth, range", (0.0037, 0.080), labels.mean(1)),
        number("depth, mean", 0.0146, float(labels.mean())),
        number("depth, std", 0.0107, float(labels.std())),
        spread("std within a spectrum, ppm", (5, 168), labels.std(1) * 1e6),
        spread("peak to peak within a spectrum, ppm", (22, 792), np.ptp(labels, axis=1) * 1e6),
        spread("FGS1 minus AIRS mean, ppm", (-500, 500), (labels[:, 0] - airs.mean(1)) * 1e6),
        number("7 components of the spectra, % of variance (> 99.5)", 99.5, seven),
        *(
            number(f"mean-removed AIRS, component {k}, %", real, float(share), slack=1.0)
            for k, (real, share) in components
        ),
    ]


def light_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """Stellar flux and drift."""
    level = [grid_to_bins(v.level) for v in visits]
    total = [star[1:].sum() * AIRS.exposure_s / 1e6 for star in level]
    fgs1 = [star[0] * FGS1.exposure_s / 1e3 for star in level]
    wider = "two real stars only; widened on purpose"
    time = np.linspace(0.0, VISIT_H, 200)
    drift = [grid_to_bins(v.drift.factor(time)) for v in visits]
    white = [np.ptp((d * star)[:, 1:].sum(1) / star[1:].sum()) for d, star in zip(drift, level, strict=True)]
    ends = np.array([d[-1] - d[0] for d in drift])[:, 1:] * 1e6
    return [
        number("AIRS flux, M e⁻ per 4.5 s, median", 14.5, float(np.median(total))),
        spread("AIRS flux, M e⁻ per 4.5 s", (13.0, 16.0), total, reason=wider),
        number("FGS1 flux, k e⁻ per 0.1 s, median", 265.0, float(np.median(fgs1))),
        spread("FGS1 flux, k e⁻ per 0.1 s", (220.0, 310.0), fgs1, reason=wider),
        number("white AIRS drift, peak to peak %", 0.02, float(100 * np.mean(white))),
        number("drift by wavelength, largest end − start, ppm", 526.0, float(np.mean(ends.max(1)))),
        number("drift by wavelength, smallest end − start, ppm", -431.0, float(np.mean(ends.min(1)))),
        number("FGS1 drift, peak to peak %", 0.055, float(100 * np.mean([np.ptp(d[:, 0]) for d in drift]))),
    ]
