"""One planet, made ready for the fit: its light curves and its row of the star table, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from spectramind_kit.detector.flags import concerns_quality
from spectramind_kit.errors import DataError
from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.visit_data import VisitData, prepare_visit
from spectramind_kit.transit.orbit import half_duration, impact_parameter
from spectramind_kit.transit.priors.orbit_point import kepler_axis
from spectramind_kit.transit.settings import AnchorSettings

if TYPE_CHECKING:
    from spectramind_kit.detector.light_curve import LightCurve


TYPICAL_RADIUS = 0.11  # Rp/Rs, of the competition's planets
_PERIOD_D, _AXIS, _IMPACT = 5.2, 10.5, 0.27  # medians of the competition's table
_MOST_IMPACT = 0.95


@dataclass(frozen=True)
class CatalogueOrbit:
    """Medians of the competition's table stand in for what is missing."""

    period_d: float
    semi_major_axis: float  # a/Rs
    impact_parameter: float
    kepler_axis: float  # a/Rs from mass, radius and period; ``semi_major_axis`` where the table lacks them
    complete: bool  # nothing was missing

    @classmethod
    def from_star(cls, star: Mapping[str, float]) -> CatalogueOrbit:
        def number(key: str, low: float, high: float) -> float | None:
            value = star.get(key)
            return value if value is not None and low <= value <= high else None

        period, axis, tilt = number("P", 0.2, 5000.0), number("sma", 1.5, 2000.0), number("i", 0.0, 180.0)
        impact = _IMPACT if axis is None or tilt is None else float(impact_parameter(axis, tilt).abs())
        return cls(
            period_d=period or _PERIOD_D,
            semi_major_axis=axis or _AXIS,
            impact_parameter=min(impact, _MOST_IMPACT),
            kepler_axis=kepler_axis(star, period or _PERIOD_D) or axis or _AXIS,
            complete=None not in (period, axis, tilt),
        )

    def half_duration(self, impact2: Tensor | float) -> Tensor:
        """Half of the time (h) for which a typical planet hides something, at other b^2 than the table's."""
        return half_duration(
            period_d=self.period_d,
            semi_major_axis=self.semi_major_axis,
            impact2=impact2,
            reach=1.0 + TYPICAL_RADIUS,
        )

    @property
    def point(self) -> dict[str, float]:
        """The fields of `OrbitPoint`."""
        impact2 = self.impact_parameter**2
        return dict(
            period_d=self.period_d,
            reach=1.0 + TYPICAL_RADIUS,
            log_duration=float(self.half_duration(impact2).log()),
            impact2=impact2,
            catalogue_axis=self.semi_major_axis,
            catalogue_impact=self.impact_parameter,
            kepler_axis=self.kepler_axis,
        )


@dataclass(frozen=True)
class PlanetCase:
    """One planet; what is known of it before the fit."""

    curves: Sequence[LightCurve]  # as they were given
    wavelength: np.ndarray  # (W,) µm, FGS1 first
    star: Mapping[str, float]  # what the star table's row has of numbers
    orbit: CatalogueOrbit
    visits: Sequence[VisitData]  # those that can be fitted, none to all
    flags: tuple[str, ...]

    @classmethod
    def of(
        cls, curves: Sequence[LightCurve], star: Mapping[str, object], *, settings: AnchorSettings
    ) -> PlanetCase:
        """Raises DataError for light curves that do not belong together: a mistake of the caller."""
        _check_planet(curves)
        wavelength = np.asarray(curves[0].wavelength_um, dtype=np.float64)
        _check_wavelength(wavelength, curves[0])
        plain_star = {str(k): float(v) for k, v in dict(star).items() if _is_number(v)}
        orbit = CatalogueOrbit.from_star(plain_star)
        visits, found = _usable_visits(curves, settings)
        if not orbit.complete:
            found = [flags.TABLE_INCOMPLETE, *found]
        return cls(curves, wavelength, plain_star, orbit, visits, tuple(found))

    @property
    def shape(self) -> tuple:
        """What planets must have alike to be fitted together."""
        return len(self.visits), max((len(v.time) for v in self.visits), default=0), self.wavelength.tobytes()


def _check_planet(curves: Sequence[LightCurve]) -> None:
    if not curves:
        raise DataError("no light curve was given", where="measure_depths", fix="pass at least one visit")
    if len({c.planet_id for c in curves}) > 1 or len({c.flux.shape[1] for c in curves}) > 1:
        raise DataError(
            "the light curves are not of one planet",
            where="measure_depths",
            found=str([(c.planet_id, c.flux.shape) for c in curves]),
            fix="pass the visits of one planet",
        )


def _check_wavelength(wavelength: np.ndarray, curve: LightCurve) -> None:
    n_wave = curve.flux.shape[1]
    in_um = bool(((wavelength > 0.2) & (wavelength < 30.0)).all())
    if wavelength.shape != (n_wave,) or not in_um or not (np.diff(wavelength[1:]) > 0).all():
        first, last = (
            ", ".join(f"{v:.4g}" for v in end) for end in (wavelength.flat[:3], wavelength.flat[-2:])
        )
        raise DataError(
            "the wavelengths do not fit the light curve",
            where=f"planet {curve.planet_id}",
            found=f"{wavelength.size}: {first} … {last}",
            expected=f"{n_wave} values in µm: FGS1, then AIRS-CH0 ascending",
            fix="use wavelengths.csv",
        )


def _usable_visits(
    curves: Sequence[LightCurve], settings: AnchorSettings
) -> tuple[list[VisitData], list[str]]:
    """The visits that can be fitted, and what is to be said of all."""
    visits, found = [], []
    for k, curve in enumerate(curves):
        same = (other for other in curves[:k] if np.array_equal(other.flux, curve.flux, equal_nan=True))
        twin = next(same, None)
        if twin is not None:  # its noise is the same: it tells nothing that the other does not
            found.append(flags.visit_not_used(curve.visit, f"it holds the frames of visit {twin.visit}"))
            continue
        if any(other.visit == curve.visit for other in curves[:k]):
            raise DataError(
                "two light curves of one visit",
                where=f"planet {curve.planet_id}",
                found=f"visit {curve.visit} twice",
                fix="give each visit a number of its own",
            )
        told = filter(concerns_quality, curve.flags)
        found += [flags.of_visit(flag, curve.visit, n_visits=len(curves)) for flag in told]
        try:
            visits.append(prepare_visit(curve, settings=settings))
        except DataError as error:
            found.append(flags.visit_not_used(curve.visit, error.what))
    return visits, found


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
