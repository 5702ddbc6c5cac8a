"""The look that every figure shares: size, colours, type, ticks, legends, captions."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure = Any  # matplotlib is optional

# Okabe & Ito (2008): distinguishable with every common colour blindness. One thing, one colour, everywhere.
COLOURS = {
    "data": "#5b6470",
    "truth": "#111418",
    "final": "#0072B2",
    "network": "#009E73",
    "anchor": "#E69F00",
    "FGS1": "#CC79A7",
    "AIRS": "#0072B2",
    "warn": "#D55E00",
    "train": "#8a94a0",
    "soft": "#b8c0ca",
}
# Black (truth, data) belongs to no series; these follow each other where series have no meaning of their own.
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#7a6a00", "#5b6470")
PPM = 1e6
DPI = 130
_WIDTH = 7.2  # inches

RC = {
    **dict.fromkeys(("font.size", "axes.labelsize"), 10.0),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 9.0),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), "#23282f"),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), "#5b6470"),
    **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), "white"),
    **dict.fromkeys(("axes.grid", "axes.axisbelow", "figure.constrained_layout.use"), True),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "axes.formatter.useoffset"), False),
    "legend.frameon": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "grid.color": "#e3e7ec",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.5,
}


@functools.lru_cache(maxsize=1)
def _figure_class() -> type:
    """A matplotlib Figure that knows its file and caption and shows itself in a notebook.

    Made on first use, since matplotlib is optional. Never registered with pyplot: it needs no closing.
    """
    from matplotlib.figure import Figure

    class NumberedFigure(Figure):
        path: Path | None = None
        title: str = ""
        caption: str = ""
        empty_because: str = ""

        def _repr_png_(self) -> bytes | None:
            return self.path.read_bytes() if self.path is not None and self.path.is_file() else None

        def _ipython_display_(self) -> None:
            """In a notebook: the picture, and under it the caption that the report shows too."""
            from IPython.display import Image, Markdown, display

            picture = self._repr_png_()
            if picture is not None:
                display(Image(data=picture))
            display(Markdown(re.sub(r"([*_<`])", r"\\\1", self.caption)))

    return NumberedFigure


def new_figure(height: float, rows: int = 1, columns: int = 1, **layout: Any) -> tuple[Figure, Any]:
    """A figure of ``height`` inches and its axes, with the ``layout`` options of `Figure.subplots`.

    All are equally wide, so that their letters are of one size in the report.
    """
    figure = _figure_class()(figsize=(_WIDTH, height))
    return figure, figure.subplots(rows, columns, **layout)


def empty_figure(reason: str) -> Figure:
    """A figure that says why there is nothing to see."""
    import textwrap

    figure = _figure_class()(figsize=(_WIDTH, 1.5))
    text = "\n".join(textwrap.wrap(f"Nothing to show: {reason}", 88)[:5])
    figure.text(0.5, 0.5, text, ha="center", va="center", color=COLOURS["data"], fontsize=9.5)
    figure.empty_because = reason
    return captioned(figure, "Empty: {reason}", reason=reason)


def captioned(figure: Figure, caption: str, **fields: object) -> Figure:
    """Give a figure its plain-language caption for the report, its ``{fields}`` filled in; returns it."""
    figure.caption = " ".join(caption.format(**fields).split())
    return figure


def counted(count: int, noun: str) -> str:
    """``1 planet``, ``3 planets``."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def set_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each set of planets: test blue, train grey; a set that is alone is blue."""
    alone = len(names) == 1
    return {name: COLOURS["final" if alone or name.startswith("test") else "train"] for name in names}


def plain_log_ticks(axis, *, only: str = "both") -> None:
    """Ticks at 1, 2, 5, 10, … as plain numbers, for the logarithmic axes of ``axis`` with limits set."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for name in ("x", "y") if only == "both" else (only,):
        along = getattr(axis, f"{name}axis")
        low, high = sorted(getattr(axis, f"get_{name}lim")())
        steps = (1.0, 2.0, 5.0) if high / low < 2e3 else (1.0,)
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        ticks = [step * 10.0**power for power in powers for step in steps]
        along.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        along.set_minor_locator(NullLocator())
        along.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def name_rows(axis, names: Sequence[str], **text: Any) -> None:
    """Name the rows 0, 1, … of a bar chart or a map, the first at the top, without lines between them."""
    axis.set_yticks(range(len(names)), names, **text)
    axis.invert_yaxis()
    axis.grid(False, axis="y")


def legend_below(axis, drop: float, *, columns: int = 1, fontsize: float = 8.5) -> None:
    """The legend under the axis, ``drop`` of its height below it, where it hides no data."""
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -drop), ncols=columns, fontsize=fontsize)


def label_panels(axes: Sequence) -> None:
    """(a), (b), … in front of the panels' titles."""
    for letter, axis in zip("abcdefghij", axes):
        axis.set_title(f"({letter}) {axis.get_title(loc='left')}", loc="left")
