"""Small charts as SVG text, without matplotlib: a thousand of them cost seconds and a few kilobytes each.

Lengths are tenths of a pixel, so that paths hold whole numbers only.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectramind_kit.diagnostics.figures.style import COLOURS, number

WIDTH = 3400
_LEFT, _RIGHT, _LETTER = 560, 60, 110
_STEPS = np.array([1.0, 2.0, 2.5, 5.0, 10.0])


@dataclass(frozen=True)
class Axis:
    """A linear axis: values ``low`` to ``high`` lie at ``start`` to ``end`` of the chart."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def holding(cls, values: Sequence[np.ndarray], start: float, end: float, *, pad: float = 0.06) -> Axis:
        """An axis that holds all finite values, with a margin."""
        known = np.concatenate([np.asarray(part, dtype=float).ravel() for part in values])
        known = known[np.isfinite(known)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        margin = pad * (high - low) or 0.5 * abs(high) or 1.0
        return cls(low - margin, high + margin, start, end)

    def place(self, value: np.ndarray | float) -> np.ndarray:
        share = (np.asarray(value, dtype=float) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, *, most: int = 5) -> dict[float, str]:
        """Round values on the axis, and how they are written."""
        rough = (self.high - self.low) / most
        power = 10.0 ** np.floor(np.log10(rough))
        step = float(power * _STEPS[np.searchsorted(_STEPS, rough / power - 1e-9)])
        first, last = int(np.ceil(self.low / step)), int(np.floor(self.high / step))
        digits = next(d for d in range(12) if abs(round(step, d) - step) < 1e-9 * step)
        return {k * step: number(k * step + 0.0, f".{digits}f") for k in range(first, last + 1)}


@dataclass(frozen=True)
class Panel:
    """The frame that curves are drawn in; every method returns SVG text."""

    x: Axis
    y: Axis

    @classmethod
    def between(
        cls, x: Sequence[np.ndarray], y: Sequence[np.ndarray], *, top: float, bottom: float, pad: float = 0.06
    ) -> Panel:
        """As wide as the chart, from ``top`` to ``bottom``; its axes hold the values."""
        return cls(Axis.holding(x, _LEFT, WIDTH - _RIGHT, pad=0.02), Axis.holding(y, bottom, top, pad=pad))

    def frame(
        self, ylabel: str, *, x_ticks: dict[float, str] | None = None, xlabel: str = "", most: int = 4
    ) -> str:
        """Lines at the ticks with their numbers; those of x (by default round ones) only with ``xlabel``."""
        left, right, bottom = self.x.start, self.x.end, self.y.start
        parts = []
        for value, text in self.y.ticks(most=most).items():
            place = round(float(self.y.place(value)))
            parts.append(f'<path d="M{left} {place}H{right}" stroke="#e3e7ec" stroke-width="7"/>')
            parts.append(_words(left - 50, place + 38, text, anchor="end"))
        parts.append(
            f'<path d="M{left} {self.y.end}V{bottom}H{right}" fill="none" stroke="#5b6470" stroke-width="8"/>'
        )
        ticks = (x_ticks or self.x.ticks()) if xlabel else {}
        for value, text in ticks.items():
            place = round(float(self.x.place(value)))
            parts.append(f'<path d="M{place} {bottom}v35" stroke="#5b6470" stroke-width="8"/>')
            parts.append(_words(place, bottom + 150, text))
        if xlabel:
            parts.append(_words((left + right) / 2, bottom + 300, xlabel))
        middle = (self.y.end + bottom) / 2
        turned = f'transform="rotate(-90 95 {middle:.0f})"'
        return "".join(parts) + _words(95, middle, ylabel, more=turned)

    def line(
        self, x: np.ndarray, y: np.ndarray, colour: str, *, width: int = 14, dashed: bool = False
    ) -> str:
        dash = ' stroke-dasharray="50 35"' if dashed else ""
        look = f'fill="none" stroke="{COLOURS[colour]}" stroke-width="{width}"{dash}'
        return f'<path d="{_path(self.x.place(x), self.y.place(y))}" {look}/>'

    def dots(self, x: np.ndarray, y: np.ndarray, colour: str, *, size: int = 24) -> str:
        """Round marks, which are lines of no length with round ends."""
        look = f'stroke="{COLOURS[colour]}" stroke-width="{size}" stroke-linecap="round"'
        return f'<path d="{_path(self.x.place(x), self.y.place(y), dots=True)}" {look}/>'

    def band(self, x: np.ndarray, low: np.ndarray, high: np.ndarray, colour: str) -> str:
        around = np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])
        path = _path(self.x.place(around[0]), self.y.place(around[1]))
        return f'<path d="{path}z" fill="{COLOURS[colour]}" fill-opacity=".22"/>'


def chart(parts: Sequence[str], *, height: int, label: str) -> str:
    """The whole picture; ``label`` is what a screen reader says."""
    box = f'viewBox="0 0 {WIDTH} {height}"'
    return f'<svg {box} role="img" aria-label="{html.escape(label)}">{"".join(parts)}</svg>'


def _path(x: np.ndarray, y: np.ndarray, *, dots: bool = False) -> str:
    known = np.isfinite(x) & np.isfinite(y)
    points = np.rint(np.stack([x[known], y[known]], axis=1)).astype(int)
    if not len(points):
        return ""
    steps = np.diff(points, axis=0).tolist()
    draw = (lambda dx, dy: f"m{dx} {dy}h0") if dots else (lambda dx, dy: f"l{dx} {dy}")
    start = f"M{points[0, 0]} {points[0, 1]}" + ("h0" if dots else "")
    return start + "".join(draw(dx, dy) for dx, dy in steps)


def _words(x: float, y: float, text: str, *, anchor: str = "middle", more: str = "") -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" font-size="{_LETTER}" text-anchor="{anchor}" fill="#23282f"'
    return f"<text {place} {more}>{html.escape(text)}</text>"
