"""How two spectra of one planet, the anchor's (a, σ_a) and the network's (n, σ_n), become one.

Each counts by its precision, so the share of the network is another for every planet and bin::

    v_a = σ_a² + (h·σ_n)² + x               share = v_a / (v_a + v_n)
    v_n = σ_n²/trust + (σ_a/5)² + x         mean = a + share·(n − a)
    σ² = (1 − share)²·v_a + share²·v_n + 2ρ·share·(1 − share)·√(v_a·v_n),  ρ = 0.6

Neither is believed that it knows a planet more than five times better than the other, h = 1/5. Where the
network cannot tell the depth to a fifth of it (σ_n > n/5) the light curves say next to nothing and the anchor
rests on what it assumes: it is believed no better than the network, h = 1. What the two disagree by beyond
two of their errors is an error of at least one of them, and nobody knows of which:
x = max(0, d² − 2²·(σ_a² + σ_n²)), with d the mean of n − a over the sensor's bins. Their errors correlate:
both read the same photons, and a label that is off is off for both (docs/decisions.md D104).
"""

from __future__ import annotations

import numpy as np

SENSORS = {"fgs1": slice(0, 1), "airs": slice(1, None)}  # which bins
_LEAST_OF_THE_OTHER_S = 0.2  # an error is at least this share of the other spectrum's
_HOPELESS = 0.2  # an error of the network, in depths, with which the anchor is believed no better
_BY_CHANCE = 2.0  # what disagreement, in errors, is taken for chance

_CORRELATION = 0.6  # of the two errors

Spectra = tuple[np.ndarray, np.ndarray]  # depths and their 1-sigma errors, (N, W)


def combine(anchor: Spectra, network: Spectra, trust: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, errors and the network's share, (N, W) each, of one sensor's bins.

    ``trust`` is what the network's precision 1/σ_n² is multiplied by. NaN where either spectrum is.
    """
    (depth, err), (mean, sigma) = anchor, network
    beyond = _beyond_chance(anchor, network)
    least = np.where(_hopeless(network), 1.0, _LEAST_OF_THE_OTHER_S)
    of_anchor = err**2 + (least * sigma) ** 2 + beyond
    of_network = sigma**2 / trust + (_LEAST_OF_THE_OTHER_S * err) ** 2 + beyond
    share = of_anchor / (of_anchor + of_network)
    common = 2.0 * _CORRELATION * share * (1.0 - share) * np.sqrt(of_anchor * of_network)
    variance = (1.0 - share) ** 2 * of_anchor + share**2 * of_network + common
    return depth + share * (mean - depth), np.sqrt(variance), share


def _hopeless(network: Spectra) -> np.ndarray:
    """Whether the network does not know even roughly how deep a planet's (N, 1) transit is."""
    mean, sigma = network
    return np.sqrt((sigma**2).mean(axis=1, keepdims=True)) > _HOPELESS * mean.mean(axis=1, keepdims=True)


def _beyond_chance(anchor: Spectra, network: Spectra) -> np.ndarray:
    """The variance (N, 1) that the level of the two lacks to explain how far they are apart."""
    (depth, err), (mean, sigma) = anchor, network
    apart = (mean - depth).mean(axis=1, keepdims=True)
    expected = (err**2 + sigma**2).mean(axis=1, keepdims=True)
    return np.maximum(0.0, apart**2 - _BY_CHANCE**2 * expected)
