"""Real against simulated: every number that the simulator is meant to match, measured on what it makes.

Rows come from three places: the tables of a simulated data set, what is true of its planets, and frames of a
reference star with the brightness of the star that the real detector numbers were read from. The real
numbers: docs/decisions.md D7, D8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.visit import PixelResponse, VisitTruth
from spectramind_kit.simulator.wavelengths import grid_to_bins

TOLERANCE = 0.15


@dataclass(frozen=True)
class Row:
    """One line of the table. ``agrees``: within 15 % of the number, or inside its range."""

    quantity: str
    real: str
    simulated: str
    agrees: bool
    reason: str = ""

    def as_dict(self) -> dict:
        return asdict(self)


def number(
    quantity: str,
    real: float,
    simulated: float,
    *,
    reason: str = "",
    form: str = "{:.4g}",
    slack: float = 0.0,
) -> Row:
    """A number agrees within 15 %, or within ``slack`` where it may be near zero."""
    agrees = abs(simulated - real) <= max(TOLERANCE * abs(real), slack)
    return Row(quantity, form.format(real), form.format(simulated), bool(agrees), "" if agrees else reason)


def spread(
    quantity: str, real: tuple[float, float], values, *, reason: str = "", form: str = "{:.4g}"
) -> Row:
    """A range agrees when the central 98 % of the values lie inside it (± 15 % of its width) and fill half of
    it."""
    values = np.asarray(values, float)
    low, high = np.percentile(values, [1, 99])
    width = real[1] - real[0]
    agrees = (
        low >= real[0] - TOLERANCE * width
        and high <= real[1] + TOLERANCE * width
        and high - low >= 0.5 * width
    )
    text = " … ".join(form.format(v) for v in (values.min(), values.max()))
    return Row(
        quantity, " … ".join(form.format(v) for v in real), text, bool(agrees), "" if agrees else reason
    )


def star_rows(stars) -> list[Row]:
    """From the catalogue table (columns Rs Ms Ts Mp e P sma i)."""
    kepler = 4.2083 * stars.P ** (2 / 3) * stars.Ms ** (1 / 3) / stars.Rs
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
        rows += [number(f"{name}, median", median, float(stars[name].median()))]
    rows.append(
        number("catalogue a/Rs about Kepler, scatter %", 6.5, 100 * float(np.log(stars.sma / kepler).std()))
    )
    return rows


def orbit_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """Impact parameters, durations, mid-transit times, limb darkening."""
    k = np.sqrt([v.planet.depth for v in visits])
    a, b, period = (
        np.array([getattr(v.planet, name) for v in visits])
        for name in ("semi_major_axis", "impact_parameter", "period_d")
    )

    def half_length(reach):
        return (
            12.0
            * period
            / np.pi
            * np.arcsin(np.clip(np.sqrt(np.maximum(reach**2 - b**2, 0.0)) / a, 0.0, 1.0))
        )

    total, flat = 2 * half_length(1 + k), 2 * half_length(1 - k)
    ingress = (total - flat) / 2 * 60.0
    catalogue_b = [
        v.planet.catalogue_semi_major_axis * np.cos(np.radians(v.planet.catalogue_inclination_deg))
        for v in visits
    ]
    rows = [
        number(f"impact parameter (catalogue), {q} %", real, float(np.percentile(catalogue_b, q)), slack=0.03)
        for q, real in ((5, 0.0), (50, 0.27), (95, 0.66))
    ]
    rows += [
        number(f"T14, {q} %, h", real, float(np.percentile(total, q)))
        for q, real in ((5, 2.5), (50, 3.9), (95, 6.0))
    ]
    rows += [
        number(f"ingress, {q} %, min", real, float(np.percentile(ingress, q)))
        for q, real in ((5, 18.0), (95, 42.0))
    ]
    rows.append(
        spread(
            "mid-transit time, h",
            (3.0, 4.5),
            [v.mid_transit_time for v in visits],
            reason="uniform 3.0–4.5 but for 3 %, which begin or end far off: incomplete transits",
        )
    )
    usual = [v for v in visits if 5000 <= v.planet.star.temperature_k <= 6000]
    for bins, name, reals in ((slice(0, 1), "FGS1", (0.48, 0.12)), (slice(1, None), "AIRS", (0.12, 0.13))):
        for k_u, real in enumerate(reals):
            value = float(np.mean([grid_to_bins(v.limb_darkening[k_u])[bins].mean() for v in usual]))
            rows.append(number(f"limb darkening {name} u{k_u + 1}, 5000–6000 K", real, value))
    return rows


def label_rows(labels: np.ndarray) -> list[Row]:
    """From the table of labels (N, 283)."""
    airs = labels[:, 1:]
    shape = airs - airs.mean(1, keepdims=True)
    power = np.linalg.svd(shape - shape.mean(0), compute_uv=False) ** 2
    whole = np.linalg.svd(labels - labels.mean(0), compute_uv=False) ** 2
    rows = [
        spread("depth, range", (0.0037, 0.080), labels.mean(1)),
        number("depth, mean", 0.0146, float(labels.mean())),
        number("depth, std", 0.0107, float(labels.std())),
        spread("std within a spectrum, ppm", (5, 168), labels.std(1) * 1e6),
        spread("peak to peak within a spectrum, ppm", (22, 792), np.ptp(labels, axis=1) * 1e6),
        spread("FGS1 minus AIRS mean, ppm", (-500, 500), (labels[:, 0] - airs.mean(1)) * 1e6),
        number(
            "7 components of the spectra, % of variance (> 99.5)",
            99.5,
            float(100 * whole[:7].sum() / whole.sum()),
        ),
    ]
    reals = (73.0, 22.0, 3.0)
    return rows + [
        number(
            f"mean-removed AIRS, component {k + 1}, %",
            reals[k],
            float(100 * power[k] / power.sum()),
            slack=1.0,
        )
        for k in range(3)
    ]


def light_rows(visits: Sequence[VisitTruth]) -> list[Row]:
    """Stellar flux and drift."""
    total = [grid_to_bins(v.level)[1:].sum() * AIRS.exposure_s / 1e6 for v in visits]
    fgs1 = [v.level[0] * FGS1.exposure_s / 1e3 for v in visits]
    wider = "two real stars only; widened on purpose"
    time = np.linspace(0.0, 7.5, 200)
    drift = [grid_to_bins(v.drift.factor(time)) for v in visits]
    white = [
        np.ptp((d * grid_to_bins(v.level))[:, 1:].sum(1) / grid_to_bins(v.level)[1:].sum())
        for d, v in zip(drift, visits, strict=True)
    ]
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


def reference_rows(visit: VisitTruth, maps: Sequence, *, seed: int, quick: bool) -> list[Row]:
    """Frames at full cadence of stars as bright as the two real ones whose frames were measured.

    The numbers per exposure are those of the one with 16.26 M e⁻ (AIRS) and 221 k e⁻ (FGS1), the binned ones
    agree with the photons of the other: 13 M and 310 k e⁻. Their pixel response is set to the size of the
    slope that the real frames show.
    """
    from spectramind_kit.simulator.exposures import simulate_exposures, star_only

    visit = replace(visit, response=PixelResponse(0.03, 0.02, -0.05, -0.05), jitter_amplitude=1.0)
    rows = []
    for fgs1, airs, measure_airs, measure_fgs1 in (
        (2.21e5, 1.626e7, _airs_rows, _fgs1_rows),
        (3.1e5, 1.3e7, _airs_binned_rows, _fgs1_binned_rows),
    ):
        star = star_only(visit, fgs1=fgs1, airs=airs)
        rows += measure_airs(
            simulate_exposures(star, maps[0], AIRS, pairs=slice(0, 100 if quick else 500), seed=seed)
        )
        rows += measure_fgs1(
            simulate_exposures(star, maps[1], FGS1, pairs=slice(0, 4000 if quick else 16000), seed=seed)
        )
    return rows


def _airs_rows(exposures) -> list[Row]:
    cube = _repaired(exposures.electrons)[:, :, AIRS.column_cut]
    mean = cube.mean(0)
    profile = (mean / mean.sum(0)).mean(1)
    rows = [
        number(
            f"AIRS profile, row {10 + k}",
            real,
            float(profile[10 + k]),
            reason="the real PSF is lumpier than a core, a ring and wings",
        )
        for k, real in enumerate(
            (0.0066, 0.0124, 0.0227, 0.0429, 0.1217, 0.2482, 0.2692, 0.1449, 0.0411, 0.0222, 0.0175, 0.0084)
        )
    ]
    return [
        *rows,
        number("AIRS rows 8:24, % of the light", 97.6, float(100 * profile[8:24].sum() / profile.sum())),
        number("AIRS column at 3.9 µm, k e⁻ per 4.5 s", 5.0, float(mean.sum(0)[0] / 1000.0)),
        number("AIRS column, largest, k e⁻ per 4.5 s", 160.0, float(mean.sum(0).max() / 1000.0)),
        number("AIRS peak pixel, k e⁻", 58.0, float(mean.max() / 1000.0)),
        number("largest ADU", 27000, float(np.percentile(exposures.frames, 99.999))),
        number("AIRS total rms per exposure, ppm", 265.0, 1000000.0 * _scatter(cube[:, 8:24].sum((1, 2)))),
    ]


def _airs_binned_rows(exposures) -> list[Row]:
    column = _repaired(exposures.electrons)[:, 8:24, AIRS.column_cut].sum(1)
    by_wavelength = 100 * _scatter(_means(column, 5))
    return [
        number("AIRS white rms per 24 s, ppm", 134.0, 1e6 * _scatter(_means(column.sum(1), 5))),
        number("AIRS rms per wavelength and 24 s, median %", 0.28, float(np.median(by_wavelength))),
        spread("AIRS rms per wavelength and 24 s, %", (0.13, 1.0), by_wavelength),
    ]


def _fgs1_window(exposures):
    """Window sum (n,), centroid x and y (n,), mean image."""
    cube = _repaired(exposures.electrons)
    window = cube[:, 8:24, 8:24]
    total = window.sum((1, 2))
    grid = np.arange(8, 24)
    return (
        total,
        (window * grid).sum((1, 2)) / total,
        (window * grid[:, None]).sum((1, 2)) / total,
        cube.mean(0),
    )


def _fgs1_rows(exposures) -> list[Row]:
    total, x, y, mean = _fgs1_window(exposures)
    return [
        number("FGS1 [8:24, 8:24], % of the light", 96.9, float(100 * mean[8:24, 8:24].sum() / mean.sum())),
        number("FGS1 peak pixel, % of the light", 9.8, float(100 * mean.max() / mean.sum())),
        number("FGS1 peak pixel, k e⁻", 22.0, float(mean.max() / 1e3)),
        number("FGS1 centre, row", 15.4, float(y.mean())),
        number("FGS1 centre, column", 15.3, float(x.mean())),
        number("pointing rms per 0.1 s, px", 0.10, float(np.sqrt((x.var() + y.var()) / 2))),
        number("FGS1 total rms per exposure, ppm", 5096.0, 1e6 * float(total.std() / total.mean())),
    ]


def _fgs1_binned_rows(exposures) -> list[Row]:
    total, x, y, _ = _fgs1_window(exposures)
    dx, dy = x - x.mean(), y - y.mean()
    design = np.stack([np.ones_like(dx), dx, dy, dx * dx, dy * dy, dx * dy], axis=1)
    modelled = total - design @ np.linalg.lstsq(design, total, rcond=None)[0] + total.mean()
    return [
        number("FGS1 rms per 20 s without a jitter model, ppm", 418.0, 1e6 * _scatter(_means(total, 50))),
        number("FGS1 rms per 20 s with a jitter model, ppm", 294.0, 1e6 * _scatter(_means(modelled, 50))),
    ]


def _repaired(electrons: np.ndarray) -> np.ndarray:
    """Dead pixels from their row's neighbours; samples 8σ off their pixel's median (cosmic rays) replaced by
    it."""
    cube = electrons.copy()
    for row, column in np.argwhere(np.isnan(cube[0])):
        near = [
            c
            for c in range(max(0, column - 2), min(cube.shape[2], column + 3))
            if not np.isnan(electrons[0, row, c])
        ]
        cube[:, row, column] = electrons[:, row, near].mean(1)
    middle = np.median(cube, axis=0)
    off = np.abs(cube - middle)
    hit = off > 8 * 1.4826 * np.median(off, axis=0) + 1.0
    return np.where(hit, middle, cube)


def _means(series: np.ndarray, n: int) -> np.ndarray:
    count = len(series) // n
    return series[: count * n].reshape(count, n, *series.shape[1:]).mean(1)


def _scatter(series: np.ndarray):
    """Relative rms from differences of neighbours: blind to drift."""
    return np.diff(series, axis=0).std(0) / np.sqrt(2.0) / series.mean(0)
