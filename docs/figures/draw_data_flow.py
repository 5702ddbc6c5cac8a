"""Draw ``data_flow.svg``, the figure of the README: from raw frames to a scored submission, stage by stage.

Run ``python docs/figures/draw_data_flow.py``. The SVG follows the reader's light or dark theme.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1000, 742
STYLE = """

   text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1c2127; }
  .page { fill: #ffffff; } .lane { fill: #f3f5f8; } .stage { font-size: 15px; font-weight: 700; }
  .book { font-size: 12.5px; fill: #5a6470; } .name { font-size: 14px; font-weight: 650; }
  .what { font-size: 12px; fill: #46505b; }
  .box { fill: #ffffff; stroke: #c3cad3; } .file { fill: #fff4dc; stroke: #d9a429; }
  .physics { fill: #fff0e6; stroke: #d55e00; }
  .network { fill: #e4f1fa; stroke: #0072b2; } .safe { fill: #e3f4ee; stroke: #009e73; }
  .line { stroke: #6b7682; fill: none; stroke-width: 1.6; } .dash { stroke-dasharray: 5 4; }
  .tip { fill: #6b7682; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6e9ec; } .page { fill: #0d1117; } .lane { fill: #161b22; } .book { fill: #9aa5b1; }
    .what { fill: #b4bdc7; }
    .box { fill: #1f262e; stroke: #46505b; } .file { fill: #352b12; stroke: #b98a1f; }
    .physics { fill: #3a2113; stroke: #d9762f; }
    .network { fill: #11283a; stroke: #3b93c9; } .safe { fill: #11302a; stroke: #2fae8a; }
    .line { stroke: #8b96a2; } .tip { fill: #8b96a2; }
  }
"""


def box(x: int, y: int, w: int, h: int, kind: str, name: str, *what: str) -> str:
    """A rounded box with a bold name and lines below it, centred."""
    lines = [f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}" rx="8" stroke-width="1.4"/>']
    top = y + h / 2 - (len(what) * 16) / 2 + 5
    lines.append(f'<text class="name" x="{x + w / 2}" y="{top}" text-anchor="middle">{escape(name)}</text>')
    for row, text in enumerate(what, start=1):
        place = f'x="{x + w / 2}" y="{top + 16 * row + 1}" text-anchor="middle"'
        lines.append(f'<text class="what" {place}>{escape(text)}</text>')
    return "".join(lines)


def arrow(*points: tuple[int, int], dashed: bool = False) -> str:
    """A polyline with a head at its last point."""
    path = "M" + " L".join(f"{x} {y}" for x, y in points)
    return f'<path class="line{" dash" if dashed else ""}" d="{path}" marker-end="url(#tip)"/>'


def label(x: int, y: int, text: str, *, anchor: str = "middle", kind: str = "what") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def lane(y: int, h: int, number: int, name: str, notebook: str) -> str:
    return (
        f'<rect class="lane" x="12" y="{y}" width="{WIDTH - 24}" height="{h}" rx="12"/>'
        + label(28, y + 25, f"{number} · {name}", anchor="start", kind="stage")
        + label(28, y + 43, notebook, anchor="start", kind="book")
    )


def light_curves() -> str:
    y = 70
    return (
        lane(14, 146, 1, "light curves", "01_light_curves.ipynb")
        + box(28, y, 180, 76, "file", "raw frames", "FGS1 32×32, AIRS 32×356", "one visit at a time")
        + arrow((208, y + 38), (236, y + 38))
        + box(
            238,
            y,
            236,
            76,
            "box",
            "detector.calibrate",
            "ADC · dead pixels · linearity · dark",
            "CDS · flat · foreground",
        )
        + arrow((474, y + 38), (502, y + 38))
        + box(
            504,
            y,
            232,
            76,
            "box",
            "detector.light_curve",
            "trace sum · jitter · time bins",
            "flux and error (time, 283)",
        )
        + arrow((736, y + 38), (764, y + 38))
        + box(766, y, 206, 76, "file", "store", "one file per visit and settings;", "restart from here")
    )


def training() -> str:
    y = 232
    parts = [
        lane(174, 316, 2, "train", "02_train.ipynb"),
        arrow((869, 146), (869, 162), (172, 162), (172, y)),
        box(
            28,
            y,
            180,
            116,
            "physics",
            "transit: the anchor",
            "white-light geometry,",
            "depth and covariance per",
            "bin, spectral prior, out-of-",
            "fold calibration",
        ),
        arrow((172, y - 24), (230, y - 24), (230, y + 26), (252, y + 26)),
        arrow((230, y + 26), (230, y + 90), (252, y + 90)),
        box(254, y, 206, 52, "network", "FGS1 encoder", "Mamba: → (B,L,D)"),
        box(254, y + 64, 206, 52, "network", "AIRS encoder", "CNN + graph: → (B,282,D)"),
        arrow((460, y + 26), (492, y + 44)),
        arrow((460, y + 90), (492, y + 74)),
        box(
            494,
            y + 18,
            220,
            80,
            "network",
            "cross-attention fusion",
            "wavelengths ask FGS1's tokens",
            "and read the fluxes out",
        ),
        arrow((714, y + 58), (742, y + 58)),
        box(744, y + 18, 228, 80, "network", "head", "μ and σ in each bin"),
        label(357, y - 12, "flux by phase, timed by the white curve"),
        arrow((118, y + 116), (118, 405), (246, 405)),
        box(
            248,
            374,
            466,
            62,
            "safe",
            "anchor and network, stacked by their precisions",
            "as far as planets that no fit has seen favour it; else the anchor stands",
        ),
        arrow((858, y + 98), (858, 405), (716, 405)),
        arrow((481, 436), (481, 454)),
        box(248, 456, 466, 26, "box", "composite loss: likelihood + four priors"),
        arrow((714, 466), (764, 466)),
        box(766, 440, 206, 44, "file", "bundle", "weights and settings, no labels"),
    ]
    return "".join(parts)


def submission() -> str:
    return (
        lane(504, 108, 3, "submit", "03_submit.ipynb")
        + arrow((869, 484), (869, 494), (321, 494), (321, 532))
        + box(214, 534, 214, 62, "box", "inference.spectra", "folds × visits → one planet")
        + arrow((428, 565), (456, 565))
        + box(458, 534, 214, 62, "box", "uncertainty", "σ scale, fitted out of fold")
        + arrow((672, 565), (700, 565))
        + box(
            702,
            534,
            270,
            62,
            "safe",
            "submission.csv",
            "validated; a fallback is there from",
            "the first minute on",
        )
    )


def diagnostics() -> str:
    return (
        lane(626, 102, 4, "look", "04_diagnostics.ipynb")
        + arrow((837, 596), (837, 618), (485, 618), (485, 650))
        + box(
            214,
            652,
            542,
            60,
            "box",
            "diagnostics",
            "light curves · spectra · pulls · scores · FFT · UMAP · SHAP",
        )
        + arrow((756, 682), (800, 682))
        + box(802, 652, 170, 60, "file", "report.html", "figures, metrics.jsonl")
    )


def main() -> None:
    body = light_curves() + training() + submission() + diagnostics()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" '
        f'aria-label="Data flow: raw frames, light curves, anchor, network, submission, report">'
        f"<style>{STYLE}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto">'
        '<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="14"/>{body}</svg>\n'
    )
    (Path(__file__).parent / "data_flow.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
