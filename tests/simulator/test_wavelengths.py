from __future__ import annotations

import numpy as np
import pytest

from spectramind_kit.simulator.wavelengths import bin_wavelengths


def test_bins_ascend_after_fgs1():
    """Guards against a flipped axis."""
    bins = bin_wavelengths()
    assert bins.shape == (283,) and bins[0] == 0.7 and (np.diff(bins[1:]) > 0).all()
    assert bins[1] == pytest.approx(1.95176074, abs=1e-7) and bins[-1] == pytest.approx(3.89503602, abs=1e-7)
