"""Pieces of the report: escaped text, tables, pictures."""

from __future__ import annotations

import base64
import html
import re

from spectramind_kit.diagnostics.saved_figures import SavedFigure
from spectramind_kit.diagnostics.tables import Table

_NUMERIC = re.compile(r"^[+\-]?\d[\d.]*$|^–$|^-?[\d.]+ … -?[\d.]+$")


def text(value: object) -> str:
    return html.escape(str(value), quote=True)


def bullets(lines: list[str]) -> str:
    """Lines of HTML as a list."""
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def wide(content: str, name: str) -> str:
    """What may be wider than a phone: it scrolls by itself, also from the keyboard, and says so."""
    return f'<div class="wide" tabindex="0" role="group" aria-label="{text(name)}">{content}</div>'


def figure_html(saved: SavedFigure, png: bytes) -> str:
    if saved.empty_because:
        return f'<p class="note empty">Nothing to show: {text(saved.empty_because)}</p>'
    data = base64.b64encode(png).decode("ascii")
    image = f'<img alt="{text(saved.title)}" src="data:image/png;base64,{data}">'
    return f"<figure>{wide(image, saved.title)}<figcaption>{text(saved.caption)}</figcaption></figure>"


def table_html(table: Table) -> str:
    if not table.rows:
        return f'<p class="note">{text(table.empty_because)}</p>'
    numeric = [all(_NUMERIC.match(cell) for cell in column) for column in zip(*table.rows)]

    def line(tag: str, cells: tuple[str, ...]) -> str:
        made = []
        for number, cell in zip(numeric, cells):
            shown = cell.replace("-", "−") if number and tag == "td" else cell
            kind = ' class="number"' if number else ""
            made.append(f"<{tag}{kind}>{text(shown)}</{tag}>")
        return f"<tr>{''.join(made)}</tr>"

    head, body = line("th", table.header), "".join(line("td", row) for row in table.rows)
    whole = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return wide(whole, table.title) if len(table.header) > 2 else f'<div class="narrow">{whole}</div>'
