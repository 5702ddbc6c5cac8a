"""Settings of the anchor. ``configs/anchor/default.yaml`` mirrors `AnchorSettings` one to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from spectramind_kit.errors import ConfigError, check_choice

_LIMITS = {
    "time_bins": (12, 100000),
    "supersample": (1, 101),
    "radius_nodes": (2, 32),
    "iterations": (1, 1000),
    "starts": (1, 100),
    **dict.fromkeys(("drift_time_degree", "drift_wavelength_degree", "fgs1_drift_degree"), (0, 12)),
    "drift_decay": (0.0, 1.0),
}


@dataclass(frozen=True)
class AnchorSettings:
    """What the light-curve fit assumes before it sees data. Widths are generous; learned priors narrow them.

    Units: hours, dimensionless depths, relative flux, a/Rs in natural logarithm.
    """

    time_bins: int = 187  # finer light curves are averaged to about this many points
    supersample: int = 3  # parts of a bin over which the model is averaged
    radius_nodes: int = 4  # Chebyshev nodes of the interpolation in Rp/Rs
    iterations: int = 8  # at most so many linearised steps over all wavelengths
    starts: int = 3  # white-light starts that are polished
    tolerance: float = 0.02  # stop when no nuisance moves by more than this many sigma

    axis_scatter: float = 0.06  # ln(a/Rs) around the star table, 5 %: docs/decisions.md D14
    axis_tail: float = 0.5  # the same for the few planets whose table is far off
    impact_scatter: float = 0.12  # impact parameter around the star table: docs/decisions.md D14
    impact_tail: float = 0.35
    time_offset_scatter: float = 0.01  # h, FGS1 mid-transit minus AIRS mid-transit

    fgs1_limb_darkening: tuple[float, float] = (0.48, 0.12)  # of 5000-6000 K: docs/decisions.md D7
    airs_limb_darkening: tuple[float, float] = (0.12, 0.13)
    limb_darkening_scatter: float = 0.1  # of each coefficient
    limb_darkening_slope_scatter: float = 0.05  # from the middle to the end of the AIRS range
    limb_darkening_curve_scatter: float = 0.02  # coefficient of the second Legendre polynomial in wavelength

    drift_time_degree: int = 4  # raised in steps; what is not needed shrinks: docs/decisions.md D13
    drift_wavelength_degree: int = 4
    fgs1_drift_degree: int = 4
    drift_scatter: float = 4e-4  # of a coefficient of degree 1, relative flux; re-estimated on every visit
    drift_decay: float = 0.6  # the same, per further degree in time
    drift_scatter_floor: float = 3e-5

    outlier_threshold: float = 4.0  # sigma; beyond it a point counts less
    spectrum_scatter: float = 0.03  # shape of the reference spectrum, relative to the depth
    fgs1_offset_scatter: float = 0.05  # FGS1 minus AIRS in the reference spectrum, relative to the depth

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_limb_darkening"):
                if len(value) != 2 or not all(-1.0 <= v <= 2.0 for v in value):
                    raise _out_of_range(field.name, value, "two coefficients in -1 … 2")
            elif field.name in _LIMITS:
                low, high = _LIMITS[field.name]
                if not low <= value <= high:
                    raise _out_of_range(field.name, value, f"{low} … {high}")
            elif not 0.0 < value < 100.0:  # widths and thresholds: a prior of no width has no inverse
                raise _out_of_range(field.name, value, "above 0 and below 100")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object] | None) -> AnchorSettings:
        """From a config node; an unknown key is an error that names the nearest valid one."""
        known = [f.name for f in fields(cls)]
        given = {str(key): value for key, value in dict(values or {}).items() if key != "_target_"}
        for key in given:
            check_choice(key, known, what="setting of the anchor")
        pairs = {key: tuple(value) for key, value in given.items() if key.endswith("limb_darkening")}
        return cls(**{**given, **pairs})

    def to_mapping(self) -> dict[str, object]:
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}


def _out_of_range(name: str, value: object, expected: str) -> ConfigError:
    what, where, fix = f"{name} is out of range", "anchor settings", f"correct anchor.{name}"
    return ConfigError(what, where=where, found=repr(value), expected=expected, fix=fix)
