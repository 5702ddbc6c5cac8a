"""What a simulation is made of: the effects that are on, the cadence, and the shares of odd planets."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace

from spectramind_kit.errors import ConfigError, check_choice

# raise when the same seed draws other data: a folder made by an older version is then not continued
VERSION = 5


@dataclass(frozen=True)
class Effects:
    """Switches, one per effect, in the order in which the hosts' simulator applies them."""

    jitter: bool = True
    foreground: bool = True
    gain_drift: bool = True
    dead_pixels: bool = True
    flat_field: bool = True
    nonlinearity: bool = True
    dark: bool = True
    shot_noise: bool = True
    cosmic_rays: bool = True
    ktc_noise: bool = True
    saturation: bool = True
    read_noise: bool = True
    adc: bool = True  # False stores rounded instead of floored values: the format is uint16 in any case

    def without(self, *names: str) -> Effects:
        """These effects, less those named."""
        known = [f.name for f in fields(self)]
        for name in names:
            check_choice(name, known, what="detector effect")
        return replace(self, **dict.fromkeys(names, False))


CHOICES = {
    "cadence": ("full", "reduced"),
    "spectra": ("lines", "bands"),
    "optics": ("pupil", "gaussian"),
    "foreground": ("zodiacal", "passband"),
    "drift": ("measured", "small"),
}
NOISE = ("shot_noise", "cosmic_rays", "ktc_noise", "read_noise", "adc")


@dataclass(frozen=True)
class Settings:
    """Everything but the seed that changes what is drawn.

    ``full`` cadence: 11,250 AIRS and 135,000 FGS1 frames; ``reduced``: 376 and 4,512 frames over the same
    7.5 h, each the mean of the ~30 consecutive frames that it replaces, so that the noise per hour is that of
    the real instrument.
    """

    cadence: str = "reduced"
    effects: Effects = field(default_factory=Effects)
    spectra: str = "lines"  # twelve absorbers line by line and unknown ones, wide; or "bands": six, narrow
    optics: str = "pupil"  # images of a pupil, rings grow with wavelength; or "gaussian" cores with wings
    foreground: str = "zodiacal"  # smooth, of the star's colour; or "passband": with a telescope's heat
    drift: str = "measured"  # as large as in 538 real curves, with their tail; or "small"
    two_visit_fraction: float = 0.1  # of the planets
    spot_fraction: float = 0.2  # of the visits: depths differ from the label by unocculted spots
    dilution_fraction: float = 0.1  # of the visits: by light of a neighbour
    anomaly_fraction: float = 0.03  # of the visits: depths off by several per cent, grey or coloured
    catalogue_scatter: float = 0.05  # relative 1σ error of the catalogue's a/Rs
    catalogue_outlier_fraction: float = 0.03  # of the planets: ``catalogue_outlier`` times that error
    catalogue_outlier: float = 10.0
    impact_scatter: float = 0.15  # 1σ error of the catalogue's impact parameter
    limb_scatter: float = 2.0  # times the scatter of limb darkening between stars that models expect
    other_law_fraction: float = 0.25  # of the planets: limb darkening of another law than the quadratic
    bright_fraction: float = 0.02  # of the planets: a star of which a pixel saturates
    spot_crossing_fraction: float = 0.0  # of the visits: the planet crosses a spot
    ramp_fraction: float = 0.0  # of the visits: the sensors settle exponentially at the start
    eccentric_fraction: float = 0.0  # of the planets: the orbit is no circle
    adc_gain: float = 0.4369  # e⁻ = ADU / gain + offset
    adc_offset: float = -1000.0  # e⁻

    def __post_init__(self):
        for name, choices in CHOICES.items():
            check_choice(getattr(self, name), choices, what=name)
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name.endswith("_fraction") and not 0.0 <= value <= 1.0:
                raise ConfigError(f"{f.name} is a share", found=repr(value), expected="0 … 1")

    def digest(self) -> str:
        """Short hash of all that changes a planet's data (not of how many planets are made)."""
        text = json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def noise_free(settings: Settings = Settings()) -> Settings:
    """The same visits without random noise, and with a finer ADC, for inverse tests.

    Systematic effects stay (dead pixels, non-linearity, dark, flat, drift, jitter); a gain of 0.9 ADU/e⁻ uses
    the uint16 range.
    """
    return replace(settings, effects=settings.effects.without(*NOISE), adc_gain=0.9)
