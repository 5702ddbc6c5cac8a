"""The report's style sheet: one column, readable on a phone, light and dark, no outside resource."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --page: #f5f6f8; --card: #ffffff; --ink: #1c2127; --soft: #5a6470; --line: #dfe3e8;
  --accent: #0063a0; --warn: #b34700; --chip: #e9eef3; }
@media (prefers-color-scheme: dark) {
  :root { --page: #141414; --card: #202020; --ink: #e6e6e6; --soft: #a3a9b0; --line: #34373b; --accent: #6db9ee;
    --warn: #f0a05a; --chip: #2b2f33; }
  /* The figures are dark ink on white: inverted and with hues turned back they are light ink on dark, colours kept. */
  figure img { filter: invert(0.9) hue-rotate(180deg) brightness(1.25); }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55; -webkit-text-size-adjust: 100%;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
header h1 { font-size: 1.7rem; line-height: 1.2; margin: 0.4rem 0 0.2rem; letter-spacing: -0.01em; }
header p { color: var(--soft); margin: 0.2rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 0.6rem; }
a { color: var(--accent); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 0.7rem; padding: 1.1rem 1.2rem 1.2rem;
  margin: 1rem 0; scroll-margin-top: 0.5rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 0.7rem; margin: 1rem 0; }
.numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 0.7rem; padding: 0.7rem 0.9rem; }
.numbers b { display: block; font-size: 1.55rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.numbers span { color: var(--soft); font-size: 0.85rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0.8rem 0 1.2rem; }
nav a { background: var(--chip); border-radius: 1rem; padding: 0.2rem 0.75rem; font-size: 0.85rem; text-decoration: none; }
figure { margin: 0; }
.wide { overflow-x: auto; }
figure img { display: block; width: 100%; min-width: 34rem; height: auto; border-radius: 0.3rem; }
figcaption, .note { color: var(--soft); font-size: 0.92rem; margin-top: 0.7rem; max-width: 48rem; }
.empty { color: var(--warn); }
table { border-collapse: collapse; width: 100%; font-size: 0.87rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.35rem 0.7rem 0.35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: break-word; }
td:first-child { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
tr:last-child td { border-bottom: none; }
td.number { text-align: right; white-space: nowrap; }
th.number { text-align: right; }
footer { color: var(--soft); font-size: 0.85rem; }
@media (max-width: 40rem) { main { padding: 0.8rem 0.6rem 3rem; } section { padding: 0.9rem 0.8rem; }
  header h1 { font-size: 1.4rem; } .numbers b { font-size: 1.3rem; } }
@media print { body { background: white; } section { break-inside: avoid; border: none; } nav { display: none; }
  figure img { min-width: 0; } }
"""
