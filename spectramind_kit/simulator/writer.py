"""The official layout on disk: parquet as the hosts write it, tables, axes, and folders that appear whole or
not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from spectramind_kit.detector.instrument import CALIBRATION_PRODUCTS, INSTRUMENTS, Instrument
from spectramind_kit.simulator.constants import AIRS, FGS1
from spectramind_kit.simulator.frames import axis_times_h
from spectramind_kit.simulator.settings import Settings
from spectramind_kit.simulator.wavelengths import airs_column_wavelengths, bin_wavelengths
from spectramind_kit.whole_file import whole_file

SPECTRUM_COLUMNS = [f"wl_{k}" for k in range(1, 284)]
SIGMA_COLUMNS = [f"sigma_{k}" for k in range(1, 284)]
STAR_COLUMNS = ["planet_id", "Rs", "Ms", "Ts", "Mp", "e", "P", "sma", "i"]


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    """(rows, columns) → parquet with columns ``column_0 …``: ZSTD, one row group, no dictionaries, as the
    real files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = np.ascontiguousarray(matrix.T)
    table = pa.Table.from_arrays(
        [pa.array(column) for column in columns], names=[f"column_{k}" for k in range(len(columns))]
    )
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
        row_group_size=max(1, matrix.shape[0]),
    )


def write_signal(folder: Path, instrument: Instrument, visit: int, frames: np.ndarray) -> None:
    """Raw frames (frames, rows·columns) uint16 of one sensor and visit."""
    write_matrix(folder / instrument.signal_file(visit), frames)


def write_calibration(
    folder: Path, instrument: Instrument, visit: int, products: dict[str, np.ndarray]
) -> None:
    """The five calibration files of one sensor and visit."""
    target = folder / instrument.calibration_folder(visit)
    target.mkdir(parents=True, exist_ok=True)
    for product in CALIBRATION_PRODUCTS:
        write_matrix(target / f"{product}.parquet", products[product])


def write_axes(data_dir: Path, settings: Settings) -> None:
    """wavelengths.csv, axis_info.parquet (NaN padded to the longest axis), adc_info.csv."""
    import pandas as pd

    write_csv(pd.DataFrame([bin_wavelengths()], columns=SPECTRUM_COLUMNS), data_dir / "wavelengths.csv")
    airs, fgs1 = axis_times_h(AIRS, settings.cadence), axis_times_h(FGS1, settings.cadence)
    integration = np.tile([AIRS.first_s, AIRS.exposure_s], len(airs) // 2)
    axes = {
        "AIRS-CH0-axis0-h": airs,
        "AIRS-CH0-axis2-um": airs_column_wavelengths(),
        "AIRS-CH0-integration_time": integration,
        "FGS1-axis0-h": fgs1,
    }
    longest = max(map(len, axes.values()))
    padded = pd.DataFrame(
        {
            name: np.pad(values, (0, longest - len(values)), constant_values=np.nan)
            for name, values in axes.items()
        }
    )
    with whole_file(data_dir / "axis_info.parquet") as part:
        padded.to_parquet(part, compression="zstd", index=False)
    names = [
        f"{instrument.name}_adc_{what}" for instrument in reversed(INSTRUMENTS) for what in ("offset", "gain")
    ]
    write_csv(
        pd.DataFrame([[settings.adc_offset, settings.adc_gain] * 2], columns=names), data_dir / "adc_info.csv"
    )


def write_csv(frame, path: Path) -> None:
    """A table without its index, whole or not at all."""
    with whole_file(path) as part:
        frame.to_csv(part, index=False)


def spectra_table(planet_ids: list[int], spectra: np.ndarray):
    """planet_id, wl_1 … wl_283, sorted by planet."""
    import pandas as pd

    frame = pd.DataFrame(np.asarray(spectra).reshape(len(planet_ids), 283), columns=SPECTRUM_COLUMNS)
    frame.insert(0, "planet_id", np.array(planet_ids, np.int64))
    return frame.sort_values("planet_id", ignore_index=True)


def star_table(rows: list[dict], *, float_ids: bool):
    """Star and orbit catalogue; the hosts write the test table's planet_id as float text."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=STAR_COLUMNS).sort_values("planet_id", ignore_index=True)
    return frame.astype({"planet_id": float}) if float_ids else frame


def sample_submission(planet_ids: list[int]):
    """567 columns; only the first planet has a row, as in the hosts' file: rows must be taken from the test
    folder."""
    import pandas as pd

    values = np.tile(np.repeat([0.0147, 0.0107], 283), (min(1, len(planet_ids)), 1))
    frame = pd.DataFrame(values, columns=SPECTRUM_COLUMNS + SIGMA_COLUMNS)
    frame.insert(0, "planet_id", np.array(sorted(planet_ids)[:1], np.int64))
    return frame


class WholeFolder:
    """Write into a scratch folder, then rename: the target exists only when it is complete."""

    def __init__(self, target: Path, scratch_root: Path):
        self.target = target
        # one planet, one worker
        self.scratch = scratch_root / f"{target.parent.name}-{target.name}-{os.getpid()}"

    def __enter__(self) -> Path:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        return self.scratch

    def __exit__(self, kind, value, trace) -> None:
        if kind is None:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.replace(self.scratch, self.target)
            except OSError:
                if not self.target.is_dir():
                    raise
                # another process was faster with the same planet
                shutil.rmtree(self.scratch, ignore_errors=True)
        else:
            shutil.rmtree(self.scratch, ignore_errors=True)


def remove_stale_scratch(scratch_root: Path) -> None:
    """Delete what processes that are gone have left half written."""
    for folder in scratch_root.glob("*-*-*"):
        try:
            os.kill(int(folder.name.rsplit("-", 1)[1]), 0)
        except (ValueError, ProcessLookupError):
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # alive, and somebody else's
