"""What every figure shares: colours, type, numbering, and what happens when there is nothing to show."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spectramind_kit.diagnostics.saved_figures import SavedFigure, remember_figure
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import why_not
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.runtime import say_once
from spectramind_kit.whole_file import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito (2008): distinguishable with every common colour blindness. One thing, one colour, in all
# figures.
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
    "fill": "#56B4E9",
}
# Black (truth, data) belongs to no series; these follow each other where series have no meaning of their own.
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#7a6a00", "#5b6470")
PPM = 1e6

_STYLE = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "figure.titlesize": 12.0,
    "figure.titleweight": "bold",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6470",
    "axes.linewidth": 0.8,
    "axes.labelcolor": "#23282f",
    "text.color": "#23282f",
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "xtick.labelcolor": "#23282f",
    "ytick.labelcolor": "#23282f",
    "axes.grid": True,
    "grid.color": "#e3e7ec",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "axes.formatter.useoffset": False,
}
_DPI = 130


class NothingToPlot(Exception):
    """The run does not hold what a figure needs; the message says what is missing and why."""


@functools.lru_cache(maxsize=1)
def _figure_class() -> type:
    """A matplotlib Figure that knows its file and caption and shows itself in a notebook; made on first use,
    since matplotlib is optional. It is never registered with pyplot, so it needs no closing and leaks no
    memory."""
    from matplotlib.figure import Figure

    class NumberedFigure(Figure):
        path: Path | None = None
        title: str = ""
        caption: str = ""
        empty_because: str = ""

        def _repr_png_(self) -> bytes | None:
            return self.path.read_bytes() if self.path is not None and self.path.is_file() else None

    return NumberedFigure


@dataclass(frozen=True)
class FigureEntry:
    """One figure of the catalogue: its number, the stem of its file and its heading."""

    number: int
    name: str
    title: str

    @property
    def file_name(self) -> str:
        return f"{self.number:02d}_{self.name}.png"


def new_figure(width: float = 7.2, height: float = 4.2) -> Figure:
    """An empty figure, inches; all are 7.2 wide so that their letters are of one size in the report."""
    return _figure_class()(figsize=(width, height))


def captioned(figure: Figure, caption: str) -> Figure:
    """Give a figure its plain-language caption for the report; returns it."""
    figure.caption = " ".join(caption.split())
    return figure


def numbered(number: int, name: str, *, title: str) -> Callable:
    """Make a plotting verb of a drawing function.

    The verb takes a run (or the path of its folder), draws in the kit's style, saves the figure as
    ``figures/<number>_<name>.png``, keeps its caption for the report, and returns it. Where the run lacks
    what the figure needs, the figure says so; an unexpected error is told as a warning and in the figure,
    since a picture must never cost a finished run. Where matplotlib does not work there is no figure (None),
    which is said once.
    """
    entry = FigureEntry(number, name, title)

    def decorate(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        @functools.wraps(draw)
        def plot(run: RunResults | str | Path, **options) -> Figure | None:
            if why := why_not("matplotlib"):
                say_once(f"no figures: matplotlib does not work here ({why})")
                return None
            from matplotlib import rc_context

            with rc_context(_STYLE):
                try:
                    run = run if isinstance(run, RunResults) else open_run(run)
                    figure = draw(run, **options)
                except (NothingToPlot, DataError) as reason:
                    figure = _empty_figure(str(reason))
                except Exception as error:
                    if not isinstance(run, RunResults):
                        raise
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    reason = (
                        f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
                    )
                    warnings.warn(
                        f"figure {entry.file_name} could not be drawn: {reason}", RuntimeWarning, stacklevel=2
                    )
                    figure = _empty_figure(f"could not be drawn: {reason}")
                figure.title = title
                _save(figure, run, entry)
            return figure

        plot.entry = entry
        return plot

    return decorate


def _save(figure: Figure, run: RunResults, entry: FigureEntry) -> None:
    figure.path = run.figures_dir / entry.file_name
    with whole_file(figure.path) as part:
        figure.savefig(part, dpi=_DPI, format="png")
    remember_figure(
        run.diagnostics_dir,
        entry.file_name,
        SavedFigure(
            title=entry.title,
            caption=figure.caption,
            empty_because=figure.empty_because,
            fingerprint=run.fingerprint,
        ),
    )


def _empty_figure(reason: str) -> Figure:
    import textwrap

    figure = new_figure(7.2, 1.5)
    figure.text(
        0.5,
        0.5,
        "\n".join(textwrap.wrap(f"Nothing to show: {reason}", 88)[:5]),
        ha="center",
        va="center",
        color=COLOURS["data"],
        fontsize=9.5,
    )
    figure.empty_because = reason
    return captioned(figure, f"Empty: {reason}")


def set_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each set of planets: test blue, train grey; a set that is alone is blue."""
    if len(names) == 1:
        return {names[0]: COLOURS["final"]}
    return {name: COLOURS["final"] if name.startswith("test") else COLOURS["train"] for name in names}


def plain_log_ticks(axis, *, only: str = "both") -> None:
    """Ticks at 1, 2, 5, 10, … written as plain numbers, for the logarithmic axes of ``axis`` with limits
    set."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    for name in ("x", "y") if only == "both" else (only,):
        along = getattr(axis, f"{name}axis")
        low, high = sorted(getattr(axis, f"get_{name}lim")())
        steps = (1.0, 2.0, 5.0) if high / low < 2e3 else (1.0,)
        ticks = [
            t * 10.0**power
            for power in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
            for t in steps
            if low <= t * 10.0**power <= high
        ]
        along.set_major_locator(FixedLocator(ticks))
        along.set_minor_locator(NullLocator())
        along.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def label_panels(axes: Sequence, *, start: str = "a") -> None:
    """(a), (b), … in front of the panels' titles."""
    for offset, axis in enumerate(axes):
        axis.set_title(f"({chr(ord(start) + offset)}) {axis.get_title(loc='left')}", loc="left")
