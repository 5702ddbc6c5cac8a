"""How two spectra of one planet, the anchor's (a, σ_a) and the network's (n, σ_n), become one.

Each counts by its precision, so the share of the network is another for every planet and bin::

    v_a = σ_a² + (0.2 σ_n)² + x         v_n = σ_n² / trust + x         share = v_a / (v_a + v_n)
    mean = a + share·(n − a)            σ² = v_a·v_n / (v_a + v_n)

An anchor that claims to know a planet far better than the network is not quite believed: the term with σ_n.
What the two disagree by beyond two of their errors is an error of at least one of them, and nobody knows of
which: x = max(0, d² − 2²·(σ_a² + σ_n²)), with d the mean of n − a over the sensor's bins.
"""

from __future__ import annotations

import numpy as np

SENSORS = {"fgs1": slice(0, 1), "airs": slice(1, None)}  # which bins
_ERROR_OF_THE_NETWORK_S = 0.2  # the anchor's error is at least this share of the network's
_BY_CHANCE = 2.0  # what disagreement, in errors, is taken for chance

Spectra = tuple[np.ndarray, np.ndarray]  # depths and their 1-sigma errors, (N, W)


def combine(anchor: Spectra, network: Spectra, trust: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, errors and the network's share, (N, W) each, of one sensor's bins.

    ``trust`` is what the network's precision 1/σ_n² is multiplied by. NaN where either spectrum is.
    """
    (depth, err), (mean, sigma) = anchor, network
    beyond = _beyond_chance(anchor, network)
    of_anchor = err**2 + (_ERROR_OF_THE_NETWORK_S * sigma) ** 2 + beyond
    of_network = sigma**2 / trust + beyond
    share = of_anchor / (of_anchor + of_network)
    return depth + share * (mean - depth), np.sqrt(share * of_network), share


def _beyond_chance(anchor: Spectra, network: Spectra) -> np.ndarray:
    """The variance (N, 1) that the level of the two lacks to explain how far they are apart."""
    (depth, err), (mean, sigma) = anchor, network
    apart = (mean - depth).mean(axis=1, keepdims=True)
    expected = (err**2 + sigma**2).mean(axis=1, keepdims=True)
    return np.maximum(0.0, apart**2 - _BY_CHANCE**2 * expected)
