"""Arrays that cost CPU time, kept in ``diagnostics/`` of a run beside the fingerprint of its results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spectramind_kit.whole_file import whole_file

_FINGERPRINT = "fingerprint"


def save_arrays(path: str | Path, arrays: Mapping[str, object], *, fingerprint: str = "") -> Path:
    """Write as npz, atomically; ``fingerprint`` names the results that the arrays belong to."""
    with whole_file(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **{_FINGERPRINT: np.array(fingerprint)}, **arrays)
    return Path(path)


def load_arrays(path: str | Path, *, fingerprint: str | None = None) -> dict[str, np.ndarray] | None:
    """The arrays; with a ``fingerprint`` None where there are none, or only those of other results."""
    if fingerprint is not None and not Path(path).is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    kept_for = str(found.pop(_FINGERPRINT, ""))
    return found if fingerprint in (None, kept_for) else None
