"""Power spectra of light-curve residuals, in units of the white noise that the error bars promise.

The estimator is the floating-mean least-squares periodogram (Zechmeister & Kürster 2009), which needs no even
sampling: masked points are simply left out. On even samples and equal errors it equals |FFT|² at the Fourier
frequencies, up to the normalisation. Power is half the drop of chi-square that a sinusoid buys,

    P(f) = (chi²_constant − chi²_sinusoid(f)) / 2,

so that for white noise with the stated errors P is exponential with mean 1 at every frequency: 1 is the
expected white-noise level, and no scaling by the data's own scatter can hide excess noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectramind_kit.errors import DataError


@dataclass(frozen=True)
class Periodogram:
    """Power and amplitude of the best sinusoid at each frequency."""

    frequency: np.ndarray  # (F,) 1/h
    power: np.ndarray  # (..., F), 1 = white noise
    amplitude: np.ndarray  # (..., F), unit of the residuals


def fourier_frequencies(time: np.ndarray) -> np.ndarray:
    """Frequencies k / duration below Nyquist (1/h for hours), for about evenly sampled ``time`` (T,).

    Nyquist itself is left out: it has one degree of freedom, not two, so its power means something else.
    """
    time = np.sort(np.asarray(time, dtype=np.float64))
    if time.size < 4:
        raise DataError("too few points for a power spectrum", expected="at least 4", found=str(time.size))
    step = float(np.median(np.diff(time)))
    if not step > 0:
        raise DataError("times do not increase", where="power spectrum of the residuals")
    duration = time[-1] - time[0] + step
    return np.arange(1, (int(round(duration / step)) - 1) // 2 + 1) / duration


def periodogram(
    time: np.ndarray, residual: np.ndarray, error: np.ndarray, *, frequency: np.ndarray | None = None
) -> Periodogram:
    """Power spectrum of residuals with known errors.

    Parameters
    ----------
    time : (T,) h
    residual, error : (..., T), same unit; what is not finite, or has no positive error, is left out
    frequency : (F,) 1/h, the Fourier frequencies of ``time`` by default

    Returns
    -------
    Periodogram; NaN power where fewer than 4 points remain.
    """
    time = np.asarray(time, dtype=np.float64)
    residual, error = np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in (residual, error)))
    if residual.shape[-1] != time.size:
        sizes = {"expected": str(time.size), "found": str(residual.shape[-1])}
        raise DataError("times and residuals differ in length", **sizes)
    frequency = fourier_frequencies(time) if frequency is None else np.asarray(frequency, dtype=np.float64)
    used = np.isfinite(residual) & np.isfinite(error) & (error > 0) & np.isfinite(time)
    weight = np.where(used, 1.0 / np.where(used, error, 1.0) ** 2, 0.0)
    value = np.where(used, residual, 0.0)
    phase = 2.0 * np.pi * frequency[:, None] * np.where(np.isfinite(time), time, 0.0)
    cosine, sine = np.cos(phase).T, np.sin(phase).T  # (T, F)

    total = weight.sum(axis=-1, keepdims=True)
    enough = used.sum(axis=-1, keepdims=True) >= 4
    safe = np.where(total > 0, total, 1.0)
    mean = (weight * value).sum(axis=-1, keepdims=True) / safe
    wy = weight * (value - mean)
    c, s = weight @ cosine / safe, weight @ sine / safe  # weighted means, (..., F)
    yc, ys = wy @ cosine, wy @ sine  # the weighted mean of (value − mean) is zero
    cc = weight @ cosine**2 - safe * c**2
    ss = weight @ sine**2 - safe * s**2
    cs = weight @ (cosine * sine) - safe * c * s
    # Of few points, or at Nyquist, sine and cosine are degenerate: the pseudo-inverse keeps what is there.
    matrix = np.stack([np.stack([cc, cs], axis=-1), np.stack([cs, ss], axis=-1)], axis=-2)
    vector = np.stack([yc, ys], axis=-1)
    solution = (np.linalg.pinv(matrix, rcond=1e-9, hermitian=True) @ vector[..., None])[..., 0]
    drop = (solution * vector).sum(axis=-1)
    power = np.where(enough, 0.5 * drop, np.nan)
    amplitude = np.where(enough, np.hypot(solution[..., 0], solution[..., 1]), np.nan)
    return Periodogram(frequency, power, amplitude)


def false_alarm_level(n_independent: int, *, probability: float = 0.01, n_averaged: int = 1) -> float:
    """Power that the largest of ``n_independent`` frequencies exceeds with this probability, for white noise.

    With ``n_averaged`` spectra averaged, each power is Gamma(n) / n (chi-square, 2 n degrees of freedom).
    """
    single = 1.0 - (1.0 - probability) ** (1.0 / max(n_independent, 1))
    if n_averaged == 1:
        return float(-np.log(single))
    from scipy.stats import gamma

    return float(gamma.isf(single, n_averaged) / n_averaged)


def white_noise_interval(n_averaged: int, *, probability: float = 0.95) -> tuple[float, float]:
    """Central interval of the average of ``n_averaged`` white-noise powers at one frequency."""
    from scipy.stats import gamma

    tail = (1.0 - probability) / 2.0
    return float(gamma.ppf(tail, n_averaged) / n_averaged), float(gamma.isf(tail, n_averaged) / n_averaged)
