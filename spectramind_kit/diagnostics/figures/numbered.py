"""Plotting verbs: draw, save and remember a numbered figure; say so where there is nothing to show."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spectramind_kit.diagnostics.figures.style import DPI, RC, Figure, empty_figure, set_colours
from spectramind_kit.diagnostics.judged import NO_LABELS, JudgedSet, judged_sets
from spectramind_kit.diagnostics.saved_figures import SavedFigure, remember_figure
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import how_to_install, why_not
from spectramind_kit.run_folder.results import RunResults, open_run
from spectramind_kit.runtime import say_once
from spectramind_kit.whole_file import whole_file


class NothingToPlot(Exception):
    """The run does not hold what a figure needs; the message says what is missing and why."""


@dataclass(frozen=True)
class FigureEntry:
    """One figure of the catalogue."""

    number: int
    name: str  # stem of its file
    title: str

    @property
    def file_name(self) -> str:
        return f"{self.number:02d}_{self.name}.png"


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
                say_once(f"no figures: matplotlib does not work here ({why}): {how_to_install('matplotlib')}")
                return None
            from matplotlib import rc_context

            run = run if isinstance(run, RunResults) else open_run(run)
            with rc_context(RC):
                figure = _drawn(draw, run, entry=entry, options=options)
                _save(figure, run, entry)
            return figure

        plot.entry = entry
        return plot

    return decorate


def judged_or_nothing(run: RunResults) -> tuple[list[JudgedSet], dict[str, str]]:
    """The sets with known depths and their colours by name; without one there is nothing to plot."""
    sets = judged_sets(run)
    if not sets:
        raise NothingToPlot(NO_LABELS)
    return sets, set_colours([one.name for one in sets])


def _drawn(draw: Callable[..., Figure], run: RunResults, *, entry: FigureEntry, options: Mapping) -> Figure:
    try:
        return draw(run, **options)
    except (NothingToPlot, DataError) as reason:
        return empty_figure(str(reason))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        told = f"figure {entry.file_name} could not be drawn: {reason}"
        warnings.warn(told, RuntimeWarning, stacklevel=3)
        return empty_figure(f"could not be drawn: {reason}")


def _save(figure: Figure, run: RunResults, entry: FigureEntry) -> None:
    figure.title, figure.path = entry.title, run.figures / entry.file_name
    with whole_file(figure.path) as part:
        figure.savefig(part, dpi=DPI, format="png")
    saved = SavedFigure(entry.title, figure.caption, figure.empty_because, run.fingerprint)
    remember_figure(run.diagnostics_dir, entry.file_name, saved)
