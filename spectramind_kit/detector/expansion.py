"""The fast recipe for a block of frames: each pixel's calibration as a polynomial about its usual counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectramind_kit.detector.pixel_calibration import PixelCalibration

_TERM_WORTH_E = 0.02  # at five standard deviations of the counts: a term that is worth less is left out
_LONG_ROW = 500  # pixels that need more than a straight line, from which on a part of the row is taken alone


@dataclass(frozen=True)
class ReadExpansion:
    """Electrons of one of the reads, less a constant: Σ terms_j·(ADU − centre)^j, j = 1 …"""

    centre: np.ndarray | None  # (P,) counts; None: zero
    terms: tuple[np.ndarray, ...]  # float32 (P,) each
    curved: slice  # the pixels that need more than the first term

    @classmethod
    def of(cls, centre: np.ndarray, k: tuple[np.ndarray, ...], reach: np.ndarray) -> ReadExpansion:
        """``k`` = (k0, k1 …) about ``centre``; ``reach`` (P,): how far counts go, zero where nobody cares."""
        worth = np.stack([np.abs(term) * reach**j for j, term in enumerate(k)][2:]) > _TERM_WORTH_E
        curved = np.flatnonzero(worth.any(axis=0))
        n_terms = 1 + int((np.flatnonzero(worth.any(axis=1)) + 1).max(initial=0))
        low, high = (int(curved[0]), int(curved[-1]) + 1) if len(curved) else (0, 0)
        # loops over short stretches of each row cost more than they save
        if high - low < _LONG_ROW and high > low:
            low, high = 0, len(centre)
        return cls(centre, k[1 : 1 + n_terms], slice(low, high))

    def part(self, which: slice) -> ReadExpansion:
        """The same for the pixels ``which`` (start and stop given)."""
        low = max(self.curved.start, which.start) - which.start
        high = min(self.curved.stop, which.stop) - which.start
        return ReadExpansion(
            centre=None if self.centre is None else self.centre[which],
            terms=tuple(k[which] for k in self.terms),
            curved=slice(low, high) if high > low else slice(0, 0),
        )

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Counts less their centre, (n, P) → electrons; ``x`` is overwritten where that is enough."""
        k, curved = self.terms, self.curved
        if curved.stop <= curved.start:
            x *= k[0]
            return x
        result = np.empty_like(x)
        for straight in (slice(0, curved.start), slice(curved.stop, x.shape[1])):
            np.multiply(x[:, straight], k[0][straight], out=result[:, straight])
        near, value = x[:, curved], result[:, curved]
        np.multiply(near, k[-1][curved], out=value)
        for term in k[-2::-1]:
            value += term[curved]
            value *= near
        return result


@dataclass(frozen=True)
class Expansion:
    """Each pixel's calibration about its usual counts: what `calibrate_block` applies."""

    first: ReadExpansion
    last: ReadExpansion
    constant: np.ndarray  # (P,) e⁻

    def part(self, which: slice) -> Expansion:
        """The same for some of the pixels."""
        return Expansion(self.first.part(which), self.last.part(which), self.constant[which])


def expand_calibration(adu: np.ndarray, pixels: PixelCalibration) -> Expansion:
    """From raw frames (2n, P) spread over the visit (some hundred exposures tell the range of the counts).

    A pixel's first reads lie close together, and so do its last: there the linearity polynomial of degree 5
    is its own cubic expansion about their mean, and less where less will do: a term that is worth 0.02 e⁻ at
    five standard deviations stays. ADC, dark and flat are folded into the coefficients. What is left out is
    below 1 e⁻ in single samples of the worst pixels of real FGS1 frames, which jitter moves by 5,000 e⁻, and
    0.002 e⁻ on average.
    """
    counts = adu.astype(np.float32)
    reads, terms = [], []
    for own in (counts[0::2], counts[1::2]):
        centre = own.mean(axis=0)
        own -= centre
        reach = np.where(pixels.bad, 0.0, 5.0 * np.sqrt(np.einsum("tp,tp->p", own, own) / len(own)))
        terms.append(_expand(centre, pixels))
        reads.append(ReadExpansion.of(centre, terms[-1], reach))
    constant = terms[1][0] - terms[0][0] - pixels.dark_charge * pixels.inverse_flat
    if reads[0].curved.stop == 0:  # a straight line needs no centre: one pass less
        constant += reads[0].terms[0] * reads[0].centre
        reads[0] = replace(reads[0], centre=None)
    return Expansion(*reads, constant=constant)


def calibrate_block(adu: np.ndarray, expansion: Expansion) -> np.ndarray:
    """One block of raw frames (2n, P) → CDS exposures (n, P) float32, e⁻. It should fit in the cache."""
    # contiguous: passes over strided rows take longer
    first, last = adu[0::2].astype(np.float32), adu[1::2].astype(np.float32)
    if expansion.first.centre is not None:
        first -= expansion.first.centre
    last -= expansion.last.centre
    result = expansion.last.apply(last)
    result -= expansion.first.apply(first)
    result += expansion.constant
    return result


def _expand(centre: np.ndarray, pixels: PixelCalibration) -> tuple[np.ndarray, ...]:
    """(k0 … k3), each (P,): electrons over flat = Σ k_j·(ADU − centre)^j, up to the third order."""
    gain = pixels.factor
    x = centre * gain + pixels.offset
    if pixels.coefficients is None:
        terms = [x, np.ones_like(x), np.zeros_like(x), np.zeros_like(x)]
    else:
        # Horner's rule for a polynomial and its derivatives over their factorials together
        terms = [pixels.coefficients[-1].copy()] + [np.zeros_like(x) for _ in range(3)]
        for c in pixels.coefficients[-2::-1]:
            for j in (3, 2, 1):
                terms[j] = terms[j] * x + terms[j - 1]
            terms[0] = terms[0] * x + c
    return tuple((t * gain**j * pixels.inverse_flat).astype(np.float32) for j, t in enumerate(terms))
