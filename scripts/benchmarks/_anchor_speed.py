"""The anchor's seconds: alone, together, on a GPU, and against batman + scipy's least squares."""

from __future__ import annotations

import math
import time

import numpy as np
from _planets import TOGETHER, simulated_planets

from spectramind_kit.runtime import probe_device, say


def speed_figures(seed: int) -> dict[str, float]:
    """Planets alone against planets together, and on a GPU where there is one; then `_generic`."""
    from spectramind_kit.transit import apply_prior, measure_depths, measure_together

    (batch,) = simulated_planets(TOGETHER, seed, "test")
    planets = [(planet.curves[:1], planet.star) for planet in batch]
    curves, star = planets[0]
    measure_depths(curves, star)
    ours = _cpu_seconds(lambda: [apply_prior(measure_depths(curves, star)) for _ in range(3)]) / 3.0
    alone = _cpu_seconds(lambda: [measure_depths(*one) for one in planets]) / len(planets)
    together = _cpu_seconds(lambda: measure_together(planets)) / len(planets)
    figures = {"seconds_alone": alone, "seconds_together": together, "alone_over_together": alone / together}
    device = probe_device()
    if device.kind == "cuda":
        measure_together(planets, device=device.name)
        start = time.perf_counter()
        measure_together(planets * 6, device=device.name)
        figures["gpu_seconds"] = (time.perf_counter() - start) / (6 * len(planets))
        figures["cpu_over_gpu"] = together / figures["gpu_seconds"]
    return figures | _generic(curves[0], star, ours)


def _cpu_seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _generic(curve, star, ours: float) -> dict[str, float]:
    """batman + scipy least_squares for each wavelength of one visit (12 of 283 timed), and ours."""
    try:
        import batman
        from scipy.optimize import least_squares
    except ImportError as error:
        say(f"the generic optimiser is not measured: {error}")
        return {"seconds_one_visit": ours, "generic_seconds": math.nan, "generic_over_ours": math.nan}
    columns = np.linspace(0, 282, 12).astype(int)
    params = batman.TransitParams()
    params.per, params.ecc, params.w, params.limb_dark = star["P"], 0.0, 90.0, "quadratic"
    days = curve.time / 24.0
    x = np.linspace(-1.0, 1.0, len(days))

    def model(p):
        params.t0, params.rp, params.a = p[0] / 24.0, abs(p[1]), p[2]
        params.inc, params.u = min(p[3], 90.0), [p[4], p[5]]
        transit = batman.TransitModel(params, days, supersample_factor=3, exp_time=curve.exposure_h / 24.0)
        return transit.light_curve(params) * (p[6] + p[7] * x + p[8] * x**2 + p[9] * x**3)

    start = time.process_time()
    for k in columns:
        flux, err = curve.flux[:, k].astype(float), curve.flux_err[:, k]
        scale = np.median(flux)
        first = np.array([curve.time.mean(), 0.11, star["sma"], star["i"], 0.2, 0.13, 1.0, 0.0, 0.0, 0.0])
        least_squares(lambda p, f=flux / scale, e=err / scale: (f - model(p)) / e, first, x_scale="jac")
    generic = (time.process_time() - start) * 283 / len(columns)
    return {"seconds_one_visit": ours, "generic_seconds": generic, "generic_over_ours": generic / ours}
