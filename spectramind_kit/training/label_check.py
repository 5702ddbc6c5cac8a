"""Whether the labels are those of the light curves, or in other units, or of other planets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit import flags
from spectramind_kit.transit.likelihood.depth_measurement import DepthMeasurement

# Of 400 simulated planets all were within 4 % of their label, but for some whose fit says so: those that
# never settled by up to 7 ×, an incomplete transit by 25 %. Spots and companions change a depth by per cents.
FACTOR, DOUBTFUL_FACTOR = 1.25, 3.0
_NOT_JUDGED = (flags.GRAZING, flags.NOT_CONVERGED, flags.NO_INFORMATION)
_DOUBTFUL = (flags.SHALLOW_TRANSIT, flags.LITTLE_BASELINE, flags.INCOMPLETE_TRANSIT, flags.VISITS_DISAGREE)
_FEWEST = 4  # planets of which the larger half speaks against the whole table


def contradicted_labels(measurements: Sequence[DepthMeasurement], depth: np.ndarray) -> dict[int, str]:
    """Planets whose label is not the depth that their light curves show, and what to say of each.

    It is off by more than `FACTOR`, or `DOUBTFUL_FACTOR` where the fit has a flag. ``depth`` (N, 283) labels.

    Raises
    ------
    DataError
        More than half of the planets are such: it is the table that does not fit.
    """
    ratio, wrong = {}, {}
    for measurement, label in zip(measurements, depth):
        shown = float(np.median(measurement.reference_depth[1:]))
        if not shown > 0.0 or flags.has(measurement.flags, *_NOT_JUDGED):
            continue
        incomplete = measurement.quality.get("frames_lost", 0.0) > 0.0
        doubtful = incomplete or flags.has(measurement.flags, *_DOUBTFUL)
        limit = DOUBTFUL_FACTOR if doubtful else FACTOR
        value = ratio[measurement.planet_id] = float(np.median(label[1:])) / shown
        if not 1.0 / limit < value < limit:
            wrong[measurement.planet_id] = value
    if len(ratio) >= _FEWEST and 2 * len(wrong) > len(ratio):
        planet, value = next(iter(wrong.items()))
        raise DataError(
            "the labels are not those of the light curves",
            where="train.csv",
            expected=f"most planets within a factor of {FACTOR:g} of their light curves' depth",
            found=f"{len(wrong)} of {len(ratio)} are not, e.g. planet {planet}: {value:.3g} × "
            f"its depth; the median is {float(np.median(list(ratio.values()))):.3g} ×",
            fix="depths are (Rp/Rs)², each in its own planet's row: look for radius ratios, "
            "other units, rows of other planets, or light curves of other data",
        )
    what = "× the depth in its light curves; not learned from"
    return {planet: f"its label is {value:.3g} {what}" for planet, value in wrong.items()}
