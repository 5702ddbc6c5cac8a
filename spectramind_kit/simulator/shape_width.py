"""How many-sided simulated spectra are: what of other spectra's shapes their components leave out."""

from __future__ import annotations

import numpy as np


def shapes_of(spectra: np.ndarray) -> np.ndarray:
    """(N, 282) AIRS-CH0 part of spectra (N, 283), each without its mean and of unit spread."""
    airs = np.asarray(spectra, dtype=np.float64)[:, 1:]
    airs = airs - airs.mean(axis=1, keepdims=True)
    return airs / airs.std(axis=1, keepdims=True)


def unexplained_share(spectra: np.ndarray, others: np.ndarray, *, components: int) -> float:
    """Share of the variance of the shapes of ``others`` outside the first components of those of ``spectra``.

    Both (N, 283). A constant and the mean shape of ``spectra`` are free, beside the components.
    """
    known = shapes_of(spectra)
    mean = known.mean(axis=0)
    directions = np.linalg.svd(known - mean, full_matrices=False)[2][:components]
    basis = np.linalg.qr(np.vstack([np.ones_like(mean), mean, directions]).T)[0]
    wanted = shapes_of(others)
    rest = wanted - (wanted @ basis) @ basis.T
    return float((rest**2).mean())
