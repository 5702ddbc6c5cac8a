"""Whether the labels are those of the light curves: a table in other units, or with the rows of other
planets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectramind_kit.errors import DataError
from spectramind_kit.transit import flags
from spectramind_kit.transit.measurement import DepthMeasurement

# Of 400 simulated planets, those without a flag below were within 4 % of their label; spots and companions
# change a depth by per cents.
FACTOR = 1.5
_DOUBTFUL = (flags.GRAZING, flags.NEAR_GRAZING, flags.SHALLOW_TRANSIT, flags.NOT_CONVERGED, flags.NO_INFORMATION,
             flags.LITTLE_BASELINE, flags.FRAMES_LOST, flags.INCOMPLETE_TRANSIT, flags.VISITS_DISAGREE)
_FEWEST = 4   # planets of which the larger half speaks against the whole table


def contradicted_labels(measurements: Sequence[DepthMeasurement], depth: np.ndarray) -> dict[int, str]:
    """Planets whose label (N, 283) is off by more than `FACTOR` from the depth that their light curves show,
    and what to say of each. A planet whose fit is in doubt is not judged.

    Raises
    ------
    DataError
        More than half of the planets are such: it is the table that does not fit.
    """
    ratio = {}
    for measurement, label in zip(measurements, depth):
        shown = float(np.median(measurement.reference_depth[1:]))
        if shown > 0.0 and not flags.has(measurement.flags, *_DOUBTFUL):
            ratio[measurement.planet_id] = float(np.median(label[1:])) / shown
    wrong = {planet: value for planet, value in ratio.items() if abs(np.log(value)) > np.log(FACTOR)}
    if len(ratio) >= _FEWEST and 2 * len(wrong) > len(ratio):
        planet, value = next(iter(wrong.items()))
        raise DataError("the labels are not those of the light curves", where="train.csv",
                        expected=f"for most planets within a factor of {FACTOR:g} of the depth in their light curves",
                        found=f"{len(wrong)} of {len(ratio)} planets are not, e.g. planet {planet}: {value:.3g} × "
                              f"its depth; the median is {float(np.median(list(ratio.values()))):.3g} ×",
                        fix="depths are (Rp/Rs)², each in its own planet's row: look whether these are radius ratios, "
                            "other units or rows of other planets, or whether the light curves are of other data")
    return {planet: f"its label is {value:.3g} × the depth in its light curves; not learned from"
            for planet, value in wrong.items()}
