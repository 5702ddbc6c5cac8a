"""Exposures and time bins: FGS1 and AIRS-CH0 on one grid, whatever the frame counts and cadences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.detector import flags
from spectramind_kit.detector.axis_info import AxisInfo
from spectramind_kit.detector.file_errors import COPY_SIGNAL
from spectramind_kit.detector.instrument import FGS1, Instrument
from spectramind_kit.detector.settings import DetectorSettings
from spectramind_kit.errors import DataError

_OWN_AXIS = "use the axis_info.parquet that belongs to these data"
_FEWEST = 8  # exposures of a sensor, and bins of a light curve


@dataclass(frozen=True)
class Exposures:
    """Exposures (pairs of reads) of one sensor in one visit."""

    start_h: np.ndarray  # (N,) time of the first read, hours
    ramp_s: float  # between the two reads
    dark_time_s: float  # the same under the chosen dark timing; 0 when dark is off
    lost_share: float = 0.0  # of the frames that have a time stamp: not in the file, and nobody knows which

    def __len__(self) -> int:
        return len(self.start_h)

    @property
    def centre_h(self) -> np.ndarray:
        return self.start_h + 0.5 * self.ramp_s / 3600.0

    @property
    def cadence_h(self) -> float:
        return float(np.median(np.diff(self.start_h))) if len(self) > 1 else self.ramp_s / 3600.0


@dataclass(frozen=True)
class TimeBins:
    """One grid of T bins for both sensors."""

    centre_h: np.ndarray  # (T,) hours
    width_h: float
    airs: np.ndarray | None  # (T + 1,) first exposure of each bin, and the end of the last; None: not used
    fgs1: np.ndarray | None  # the same

    def __len__(self) -> int:
        return len(self.centre_h)


def find_exposures(
    axis: AxisInfo, instrument: Instrument, n_frames: int, *, settings: DetectorSettings, where: str = ""
) -> tuple[Exposures, list[str]]:
    """Time of every exposure from axis_info; flags where frames and time stamps differ in number.

    The stamps of an AIRS pair are 0.1 s apart though the ramp lasts 4.5 s, so the ramp comes from the
    integration-time column; FGS1's is the distance of its stamps. Raises DataError: fewer than 8 pairs of
    frames, fewer time stamps than frames, or stamps that do not ascend.
    """
    noted, stamps = [], axis.time_h(instrument)
    sensor, n = instrument.name, n_frames // 2
    if n_frames > len(stamps):
        raise DataError(
            "more frames than time stamps",
            where=f"{where}, {sensor}",
            expected=f"at most {len(stamps)} frames (axis_info.parquet, {instrument.time_column})",
            found=str(n_frames),
            fix=_OWN_AXIS,
        )
    if n_frames < len(stamps):
        noted.append(flags.fewer_frames(sensor, n_frames, len(stamps)))
    if n_frames % 2:
        noted.append(flags.odd_number_of_frames(sensor))
    if n < _FEWEST:
        expected, found = f"{2 * _FEWEST} or more", str(n_frames)
        raise DataError(
            "too few frames", where=f"{where}, {sensor}", expected=expected, found=found, fix=COPY_SIGNAL
        )
    even, odd = stamps[0 : 2 * n : 2], stamps[1 : 2 * n : 2]
    if not (np.diff(even) > 0).all():
        raise DataError(
            "time stamps do not ascend",
            where=f"axis_info.parquet, {instrument.time_column}",
            expected="ascending hours",
            found="equal or descending ones",
            fix=_OWN_AXIS,
        )
    if sensor == FGS1.name:
        ramp = by_column = float(np.median(odd - even)) * 3600.0
    else:
        ramp, by_column = _airs_ramp(axis)
    if not ramp > 0:
        raise DataError(
            "the ramp has no length",
            where=f"axis_info.parquet, {sensor}",
            found=f"{ramp} s",
            expected="time between the reads above 0",
            fix="use the axis_info.parquet of these data",
        )
    dark_time = {"ramp": ramp, "integration_time": by_column, "off": 0.0}[settings.dark_timing]
    return Exposures(even, ramp, dark_time, lost_share=1.0 - n_frames / len(stamps)), noted


def _airs_ramp(axis: AxisInfo) -> tuple[float, float]:
    """Seconds of AIRS-CH0's ramp, and the difference of its two integration times."""
    integration = axis.airs_integration_time_s
    if len(integration) < 2:
        raise DataError(
            "no integration times",
            where="axis_info.parquet, AIRS-CH0-integration_time",
            expected="0.1 and 4.5 s in turn",
            found="none",
            fix="use the competition's axis_info.parquet",
        )
    first, second = float(np.median(integration[0::2])), float(np.median(integration[1::2]))
    return second, second - first


def make_time_bins(
    airs: Exposures | None, fgs1: Exposures | None, *, settings: DetectorSettings, where: str = ""
) -> TimeBins:
    """Bins of n AIRS exposures and of the FGS1 exposures of the same time.

    Where FGS1 has a whole number of exposures per AIRS exposure (12 in the real data) bins are counted, n and
    12·n; else FGS1 exposures go to the bin whose time they fall in. A bin between two others may have no FGS1
    exposure. With one sensor (the other None) the bins are those of its own exposures. Raises DataError: the
    sensors do not overlap in time, or fewer than 8 bins can be made.
    """
    own, expected = (airs if airs is not None else fgs1), f"{_FEWEST} or more"
    n = max(1, len(own) // settings.target_bins)
    if airs is not None and settings.exposures_per_bin:
        n = settings.exposures_per_bin
    edges = np.arange((len(own) - settings.drop_last) // n + 1) * n
    sensors = (None, edges) if airs is None else (edges, None)
    if airs is not None and fgs1 is not None:
        fgs1_edges, expected = _edges_of_fgs1(airs, fgs1, edges), f"{expected} bins that both sensors cover"
        filled = np.flatnonzero(np.diff(fgs1_edges) > 0)
        # less than all where FGS1 began later or ended earlier than AIRS
        part = slice(filled[0], filled[-1] + 2) if len(filled) else slice(0, 1)
        edges = edges[part]
        sensors = edges, fgs1_edges[part]
    if len(edges) - 1 < _FEWEST:
        found, fix = str(len(edges) - 1), "choose a smaller data.exposures_per_bin, or leave the planet out"
        raise DataError("too few time bins", where=where, expected=expected, found=found, fix=fix)
    centre = np.add.reduceat(own.centre_h[: edges[-1]], edges[:-1]) / n
    return TimeBins(centre, n * own.cadence_h, *sensors)


def _edges_of_fgs1(airs: Exposures, fgs1: Exposures, airs_edges: np.ndarray) -> np.ndarray:
    """(T + 1,) FGS1 exposures at which the bins of AIRS exposures begin."""
    ratio, rest = divmod(len(fgs1), len(airs))
    aligned = (
        rest == 0
        and ratio > 0
        and abs(fgs1.centre_h[:ratio].mean() - airs.centre_h[0]) < airs.cadence_h
        and abs(fgs1.centre_h[-ratio:].mean() - airs.centre_h[-1]) < airs.cadence_h
    )
    if aligned:
        return airs_edges * ratio
    gap_h = airs.cadence_h - airs.ramp_s / 3600.0
    last = airs.start_h[airs_edges[-1] - 1] + airs.cadence_h if len(airs_edges) > 1 else 0.0
    edges_h = np.r_[airs.start_h[airs_edges[:-1]], last] - 0.5 * max(gap_h, 0.0)
    return np.searchsorted(fgs1.centre_h, edges_h)


def kept_edges(edges: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Edges (T + 1,) of bins of all exposures → of the ``good`` (N,) ones; equal edges: an empty bin."""
    return np.concatenate([[0], np.cumsum(good)])[edges]


def bin_mean(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Mean over each bin of the first axis; ``edges`` as in `TimeBins`."""
    counts = np.diff(edges).reshape((-1,) + (1,) * (values.ndim - 1))
    return np.add.reduceat(values[: edges[-1]], edges[:-1], axis=0) / counts
