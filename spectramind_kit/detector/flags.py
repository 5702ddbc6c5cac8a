"""Every text that stage 1 puts into `LightCurve.flags`, and what each does to the error.

Each begins with the sensor; the words after it stay what they are, so that later stages can look for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from spectramind_kit.errors import DataError

_LONGEST_REASON = 160
# What these say was found and dealt with; no number of the light curve is worse for it.
_HARMLESS = ("ADC read as", "odd number of frames")

# The frames decide, so no number is worse if they are right; all visits of a data folder have it, or none.
AXIS_TURNED = (
    "AIRS-CH0: by axis_info.parquet the star would be brighter at 4 µm than at 2 µm; "
    "its wavelengths were taken in the other direction"
)
_OF_THE_FOLDER = (AXIS_TURNED,)


def concerns_quality(flag: str) -> bool:
    """False for a remark that says nothing about the error of the light curve."""
    return not any(words in flag for words in _HARMLESS)


def concerns_the_folder(flag: str) -> bool:
    """True for what is the matter with the data folder, not with one visit: a run tells it once."""
    return flag in _OF_THE_FOLDER


def adc_multiplied(sensor: str) -> str:
    """The converter's table means the other direction. Harmless: reads without light come out near zero."""
    return f"{sensor}: ADC read as e = ADU · gain + offset"


def odd_number_of_frames(sensor: str) -> str:
    """The last frame has no partner and is not used. Harmless."""
    return f"{sensor}: odd number of frames"


def fewer_frames(sensor: str, found: int, expected: int) -> str:
    """Frames are missing, and nothing says which: times are right only if they are missing at the end."""
    return f"{sensor}: {found} of {expected} frames"


def out_of_step(sensor: str, exposure: int) -> str:
    """From here on first and last reads were exchanged: paired anew, only what has no partner is lost."""
    return f"{sensor}: reads out of step from exposure {exposure} on, paired anew"


def saturated_pixels(sensor: str, count: int, share: float) -> str:
    """Pixels that reached their ceiling are left out. ``share`` of the light fell into them: the rest has
    that much more noise, which `flux_err` measures, and follows the pointing more than the jitter model was
    tested for."""
    light = f", {share:.0%} of the light" if share >= 0.01 else ""
    return f"{sensor}: {count} saturated pixel{'s' if count > 1 else ''}{light}"


def lone_pixels(sensor: str, count: int) -> str:
    """Pixels that shine by themselves are left out, as dead ones are."""
    return f"{sensor}: {count} pixel{'s' if count > 1 else ''} far above the neighbours left out"


def dropped_exposures(sensor: str, reasons: Mapping[str, int]) -> str:
    """Impossible exposures are left out; `flux_err` grows with what a time bin lost."""
    total = sum(reasons.values())
    some = {reason: count for reason, count in reasons.items() if count}
    words = ", ".join(reason if count == total else f"{count} {reason}" for reason, count in some.items())
    return f"{sensor}: {total} exposure{'s' if total > 1 else ''} dropped ({words})"


def repeating_frames(sensor: str, share: float) -> str:
    """Nearly all exposures equal an earlier one: no noise, or a detector that hangs. They are used."""
    return f"{sensor}: {share:.0%} of the exposures repeat an earlier one"


def stuck_first_reads(sensor: str) -> str:
    """Nearly all first reads are the same one: last reads are used alone, and their reset noise is measured
    with the rest. What each pixel's reset level adds is not known."""
    return f"{sensor}: first reads are stuck, last reads used alone"


def empty_bins(sensor: str, count: int) -> str:
    """Time bins without a good exposure are NaN."""
    return f"{sensor}: {count} time bin{'s' if count > 1 else ''} without a good exposure"


def foreground_varies(sensor: str, peak_to_peak_e: float) -> str:
    """The level beside the star changed during the visit and is subtracted bin by bin; what the star's own
    wing does to that level is known to some ten per cent."""
    return f"{sensor}: foreground varies by {peak_to_peak_e:.2g} e⁻/pixel"


def lost_columns(sensor: str, count: int) -> str:
    """Wavelengths whose light fell into saturated pixels: NaN."""
    return f"{sensor}: {count} wavelengths lost to saturation"


def sensor_missing(sensor: str, error: DataError) -> str:
    """The sensor could not be used: its columns are NaN, and its depths come from the other one."""
    return f"{sensor} missing: {reason_of(error)}"


def reason_of(error: DataError) -> str:
    """One short line, with the name of the file where there is one."""
    file = PurePath(error.where.replace("\\", "/")).name
    text = f"{error.what}: {file}" if file.endswith(".parquet") else error.what
    text += f" ({error.found})" if error.found else ""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
