"""The summary as HTML: the first screen of the report."""

from __future__ import annotations

import numpy as np

from spectramind_kit.diagnostics.figures.style import COLOURS, SERIES, number
from spectramind_kit.diagnostics.html_parts import bullets, text
from spectramind_kit.diagnostics.summary import Rung, Summary

_CAPTION = (
    "Official score after each step, 0 to 1. Compare within a column: the columns hold different planets."
)
_COLOURS = {name: COLOURS[name] for name in ("anchor", "network", "final")} | {"both": SERIES[2]}


def first_screen_html(summary: Summary) -> str:
    """Answer, ladder, decision, planets to look at and warnings."""
    answer = f'<p class="answer">{text(summary.answer)}</p><p>{text(summary.scale)}</p>'
    decision = bullets([text(line) for line in summary.decision])
    parts = [_ladder(summary), f"<div><h3>What was submitted, and why</h3>{decision}</div>"]
    if summary.look_first:
        linked = [f'<a href="#p{planet}">{planet}</a>: {text(why)}' for planet, why in summary.look_first]
        parts.append(f"<div><h3>Planets to look at first</h3>{bullets(linked)}</div>")
    warnings = bullets([text(line) for line in summary.warnings]) if summary.warnings else "<p>None.</p>"
    parts.append(f'<div class="warnings"><h3>Warnings</h3>{warnings}</div>')
    return f'{answer}<div class="short">{"".join(parts)}</div>'


def _ladder(summary: Summary) -> str:
    """Each stage's score as a bar, per set of planets; empty without known depths."""
    if not summary.rungs:
        return ""
    head = "".join(f'<th scope="col">{text(title)}</th>' for title in summary.sets)
    rows = [_row(rung) for rung in summary.rungs]
    first = f'<thead><tr><th scope="col">step</th>{head}</tr></thead>'
    table = f"<caption>{_CAPTION}</caption>{first}<tbody>{''.join(rows)}</tbody>"
    return f'<div><table class="ladder">{table}</table></div>'


def _row(rung: Rung) -> str:
    kind = ' class="submitted"' if rung.stage == "final" else ""
    cells = "".join(
        f"<td>{_bar(score, _COLOURS.get(rung.stage, COLOURS['soft']))}</td>" for score in rung.scores
    )
    return f'<tr{kind}><th scope="row">{text(rung.name)}<small>{text(rung.what)}</small></th>{cells}</tr>'


def _bar(score: float, colour: str) -> str:
    if not np.isfinite(score):
        return "<span>–</span>"
    width = f"{100 * min(max(score, 0.0), 1.0):.1f}%"
    filled = f'<i style="width:{width};background:{colour}"></i>'
    return f'<span>{number(score, ".3f")}</span><div class="bar">{filled}</div>'
