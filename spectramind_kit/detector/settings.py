"""Every setting that shapes a light curve; ``configs/data/*.yaml`` mirrors it field for field."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from spectramind_kit.errors import ConfigError, nearest

_CHOICES = {
    "reader": ("auto", "polars", "pyarrow"),
    "adc_direction": ("auto", "divide", "multiply"),
    "dark_timing": ("ramp", "integration_time", "off"),
    "foreground": ("dilution", "wing_removed", "plain", "off"),
    "airs_extraction": ("sum", "optimal"),
    "fgs1_extraction": ("sum", "optimal"),
}
# How the numbers are computed, not what they are: these do not enter the digest.
_NOT_IN_DIGEST = ("reader",)
# Raise when the same settings give other numbers than before: no old store is mistaken for a new one.
_RECIPE_VERSION = 3


@dataclass(frozen=True)
class DetectorSettings:
    """Switches of stage 1. The defaults are the recipe that measured best (docs/light_curves.md;
    docs/decisions.md D31–D38)."""

    target_bins: int = 187  # time bins aimed at: exposures per bin = max(1, AIRS exposures // target_bins)
    exposures_per_bin: int = 0  # AIRS exposures in one bin; 0 takes it from ``target_bins``
    # AIRS exposures left out at the end (the last frame is unreliable), and FGS1's over the same time
    drop_last: int = 1
    reader: str = "auto"  # of Parquet: polars where it works, else pyarrow; both give the same integers
    # e = ADU / gain + offset (divide) or ADU · gain + offset (multiply); auto: by the reads without light
    adc_direction: str = "auto"
    linearity: bool = True
    # Time between the reads for the dark current: the ramp (4.5 s, 0.1 s), the difference of the
    # integration-time column (4.4 s for AIRS), or off
    dark_timing: str = "ramp"
    flat: bool = True
    fill_dead: bool = True  # False leaves dead pixels as they are read
    mask_hot: bool = False
    hot_clip_sigma: float = 5.0  # hot: dark current this many robust σ above the median of the detector
    cosmic_rays: bool = True
    cosmic_ray_sigma: float = 10.0  # a CDS sample so many σ (of its pixel) off its neighbours is replaced
    foreground: str = "dilution"  # how the star's light beside the star is told from it (`foreground`)
    airs_rows: tuple[int, int] = (8, 24)  # rows of the trace that are summed, half open
    airs_edge_rows: int = 4  # at the top and at the bottom of the detector, that measure the foreground
    fgs1_window: tuple[int, int] = (8, 24)  # rows and columns of the PSF window, half open
    fgs1_corner: int = 4  # side of the four corner squares that measure the FGS1 foreground, pixels
    airs_extraction: str = "sum"
    fgs1_extraction: str = "optimal"
    airs_jitter: bool = True
    fgs1_jitter: bool = True

    def __post_init__(self) -> None:
        for name in ("airs_rows", "fgs1_window"):  # yaml gives lists
            pair = getattr(self, name)
            listed = isinstance(pair, Sequence) and not isinstance(pair, str)
            if not listed or len(pair) != 2 or not all(isinstance(v, int) for v in pair):
                raise _out_of_range(name, pair, "two whole numbers", fix=f"write data.{name}=[8,24]")
            object.__setattr__(self, name, tuple(pair))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(
                    f"unknown {name}",
                    where="data settings",
                    found=repr(value),
                    expected=", ".join(choices),
                    fix=nearest(str(value), choices),
                )
        edge, (first, stop), (left, right) = self.airs_edge_rows, self.airs_rows, self.fgs1_window
        limits = (
            ("target_bins", self.target_bins >= 8, "8 or more"),
            ("exposures_per_bin", self.exposures_per_bin >= 0, "0 (automatic) or more"),
            ("drop_last", self.drop_last >= 0, "0 or more"),
            ("cosmic_ray_sigma", self.cosmic_ray_sigma >= 5, "5 or more: less would clip noise"),
            ("hot_clip_sigma", self.hot_clip_sigma > 0, "above 0"),
            ("airs_edge_rows", 1 <= edge <= first, "1 … first row of the trace"),
            ("airs_rows", 0 < first < stop <= 32 - edge, "two ascending rows that leave the edge rows free"),
            ("fgs1_window", 0 < left < right < 32, "two ascending pixels in 1 … 31"),
            ("fgs1_corner", 1 <= self.fgs1_corner <= left, "1 … first pixel of the window"),
        )
        for name, good, expected in limits:
            if not good:
                raise _out_of_range(name, getattr(self, name), expected, fix=f"correct data.{name}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> DetectorSettings:
        """Settings from a plain mapping (a Hydra node); for an unknown key the error names the nearest."""
        known = [f.name for f in fields(cls)]
        values = {str(k): v for k, v in values.items() if k != "_target_"}
        for name in values:
            if name not in known:
                expected, fix = "a field of DetectorSettings", nearest(name, known)
                raise ConfigError("unknown data setting", found=repr(name), expected=expected, fix=fix)
        return cls(**values)  # type: ignore[arg-type]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with every setting that shapes the numbers."""
        content = {k: v for k, v in asdict(self).items() if k not in _NOT_IN_DIGEST}
        text = json.dumps({"recipe": _RECIPE_VERSION, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _out_of_range(name: str, value: object, expected: str, *, fix: str) -> ConfigError:
    what, where = f"{name} is out of range", "data settings"
    return ConfigError(what, where=where, found=repr(value), expected=expected, fix=fix)
