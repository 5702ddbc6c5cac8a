"""Draw ``architecture.svg``: the steps of docs/architecture.md beside the rooms that hold them, and who
imports whom.

Run ``python docs/figures/draw_architecture.py``. Steps are read from the page, imports from the source. The
SVG follows the reader's light or dark theme.
"""

from __future__ import annotations

import ast
import re
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE, FIGURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "figures" / "architecture.svg"
FLOORS = (  # from the ground up, drawn downwards beside the steps, which run the same way
    ("runtime", "configs"),
    ("detector",),
    ("transit", "simulator"),
    ("models", "losses"),
    ("run_folder",),
    ("training",),
    ("inference",),
    ("diagnostics",),
)
STEP_H, TOP, LEFT, RIGHT, WIDTH = 46, 70, 24, 620, 1080
STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1c2127; }
  .page { fill: #ffffff; } .stage { fill: #f3f5f8; } .room { fill: #e4f1fa; stroke: #0072b2; }
  .head { font-size: 15px; font-weight: 700; } .name { font-size: 13.5px; font-weight: 650; }
  .what { font-size: 12px; fill: #46505b; } .line { stroke: #9aa5b1; fill: none; stroke-width: 1.2; }
  .import { stroke: #0072b2; fill: none; stroke-width: 1.4; } .tip { fill: #0072b2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e9ec; } .page { fill: #0d1117; } .stage { fill: #161b22; } .what { fill: #b4bdc7; }
    .room { fill: #11283a; stroke: #3b93c9; } .line { stroke: #46505b; } .import { stroke: #3b93c9; }
    .tip { fill: #3b93c9; }
  }
"""


def steps() -> list[tuple[str, str, list[str], list[str]]]:
    """(stage, step, functions, files) of each row of the page's first table."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").split("## Floors")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[2].startswith("`"):
            rows.append((cells[0], cells[1], *(re.findall(r"`([^`]+)`", cell) for cell in cells[2:])))
    return rows


def room_of(file: str) -> str:
    return file.split("/")[0] if "/" in file else file.removesuffix(".py")


def imports() -> set[tuple[str, str]]:
    """(importer, imported) of every pair of rooms."""
    package, pairs = ROOT / "spectramind_kit", set()
    for path in package.rglob("*.py"):
        own = room_of(str(path.relative_to(package)))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            for name in names:
                if name.startswith("spectramind_kit."):
                    pairs.add((own, name.split(".")[1]))
    return {(a, b) for a, b in pairs if a != b}


def text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def draw_steps(rows) -> tuple[list[str], dict[str, list[float]]]:
    """Boxes of the stages and their steps; and at which heights each room is needed."""
    parts, needed, y, stage = [], {}, TOP, ""
    for name, step, functions, files in rows:
        if name != stage:
            count = sum(row[0] == name for row in rows)
            y += 8 if stage else 0
            box = f'x="{LEFT - 10}" y="{y}" width="500" height="{count * STEP_H + 26}" rx="10"'
            parts.append(f'<rect class="stage" {box}/>')
            parts.append(text(LEFT, y + 19, name, "head"))
            y, stage = y + 26, name
        calls = ", ".join(functions)
        parts.append(text(LEFT, y + 16, step if len(step) < 74 else step[:72] + "…", "name"))
        parts.append(text(LEFT, y + 33, calls if len(calls) < 84 else calls[:82] + "…", "what"))
        for room in dict.fromkeys(map(room_of, files)):
            needed.setdefault(room, []).append(y + 20)
        y += STEP_H
    return parts, needed


def draw_rooms(height: float) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Boxes of the rooms, floor by floor; the middle of each one's left side."""
    parts, places = [], {}
    gap = (height - TOP - 60) / len(FLOORS)
    for floor, rooms in enumerate(FLOORS):
        for k, room in enumerate(rooms):
            x, y = RIGHT + 210 * k, TOP + 20 + floor * gap
            files = len(list((ROOT / "spectramind_kit" / room).rglob("*.py"))) - 1
            parts.append(f'<rect class="room" x="{x}" y="{y}" width="170" height="46" rx="8"/>')
            parts.append(
                text(x + 12, y + 20, f"{room}/", "name") + text(x + 12, y + 37, f"{files} files", "what")
            )
            places[room] = (x, y + 23)
    return parts, places


def draw() -> str:
    rows = steps()
    parts, needed = draw_steps(rows)
    height = TOP + len(rows) * STEP_H + 34 * len({row[0] for row in rows}) + 20
    rooms, places = draw_rooms(height)
    lines = []
    for room, heights in needed.items():
        if room in places:
            x, y = places[room]
            lines += [f'<path class="line" d="M514 {h} C 570 {h}, 560 {y}, {x} {y}"/>' for h in heights]
    floor = {room: k for k, names in enumerate(FLOORS) for room in names}
    for own, other in sorted(imports()):
        if own in floor and other in floor and floor[other] == floor[own] - 1:
            (x, y), (to_x, to_y) = places[own], places[other]
            way = f"M{x + 85} {y - 23} L{to_x + 85} {to_y + 25}"
            lines.append(f'<path class="import" d="{way}" marker-end="url(#tip)"/>')
    heads = text(LEFT - 10, 40, "What happens, and the functions that do it", "head")
    heads += text(RIGHT, 40, "The rooms; each may import from those above it here", "head")
    body = "".join([*lines, *parts, *rooms])
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        'aria-label="Steps of the data flow and the rooms of the package that hold them">'
        f'<style>{STYLE}</style><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 Z"/></marker></defs>'
        f'<rect class="page" width="{WIDTH}" height="{height}"/>{heads}{body}</svg>\n'
    )


if __name__ == "__main__":
    FIGURE.write_text(draw(), encoding="utf-8")
    print(f"wrote {FIGURE}")
