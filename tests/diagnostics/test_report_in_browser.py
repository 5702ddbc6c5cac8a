"""The report in a real browser: it draws, fits, prints, is reached by keyboard and can be read."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from spectramind_kit.diagnostics import write_report
from tests.browser import Browser, browser_path

pytestmark = pytest.mark.slow  # drawing the figures of two runs, and a browser's start

# Text whose colour on what lies behind it has less contrast than WCAG AA asks for (4.5, large letters 3):
# selector → contrast. Figures and charts are drawn on white and judged by their colours elsewhere.
_POOR_CONTRAST = """(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = colour => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const part = colour.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = rgb(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = {};
  for (const element of document.querySelectorAll('main, main *:not(svg *)')) {
    const own = [...element.childNodes].some(node => node.nodeType == 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const pair = [light(rgb(style.color)), light(behind(element))].sort((a, b) => b - a);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < (large ? 3 : 4.5)) poor[element.tagName + '.' + element.className] = contrast;
  }
  return poor;
})()"""
_FOCUSED = """(() => { const e = document.activeElement, box = e.getBoundingClientRect();
  return [e.tagName, e.className, e.textContent.slice(0, 40), box.width > 0,
          getComputedStyle(e).outlineStyle != 'none']; })()"""


@pytest.fixture(scope="module")
def report(work_dir, measured_dir, tmp_path_factory):
    """The example run's report, with light curves for two of its planets."""
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(work_dir, folder)
    for name in ("store", "anchor"):
        shutil.copytree(measured_dir / name, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "umap", None)  # its compilation costs 14 CPU s
        return write_report(folder, truth=folder / "truth.csv")


@pytest.fixture(scope="module")
def browser(report, tmp_path_factory):
    path = browser_path()
    if path is None:
        pytest.skip(
            "no browser: neither chromium nor google-chrome is on PATH, nor Playwright's in its cache"
        )
    with Browser(path, tmp_path_factory.mktemp("profile")) as browser:
        browser.resize(1400)
        browser.open(report)
        yield browser


@pytest.fixture
def page(browser, report):
    """The report as it is opened."""
    browser.colour_scheme("light")
    browser.resize(1400)
    browser.open(report)
    return browser


def test_every_picture_is_drawn_and_nothing_is_told_in_the_console(page):
    """Guards against a picture that is cut short, and a page that asks for a file it has not."""
    widths = page.run("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(widths) >= 8 and min(widths) > 0
    assert page.errors == []


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_the_page_is_as_wide_as_the_screen(page, width):
    """Guards against a page that must be pushed sideways; what is wider scrolls by itself, and says so."""
    page.resize(width)
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    wide = page.run(
        "[...document.querySelectorAll('.wide')].filter(one => one.scrollWidth > one.clientWidth + 1)"
        ".map(one => getComputedStyle(one, '::before').content)"
    )
    assert bool(wide) == (width == 390) and all("swipe" in text for text in wide)


def test_a_planets_page_is_drawn_when_it_is_opened(page):
    """Guards against a thousand pictures that are laid out at once, and a page that does not open."""
    drawn = "[...document.querySelectorAll('.planet svg')].filter(one => one.checkVisibility()).length"
    assert page.run(drawn) == 0
    page.run("document.querySelector('.planet summary').click()")
    assert page.run(drawn) == page.run("document.querySelector('.planet').querySelectorAll('svg').length") > 0
    sizes = page.run(
        "[...document.querySelector('.planet').querySelectorAll('svg path')].map(p => p.getBBox().width)"
    )
    assert len(sizes) > 10 and max(sizes) > 100


def test_the_first_screens_links_open_the_planet(page):
    """Guards against a link to a page that stays closed."""
    link = "document.querySelector('#short a[href^=\"#p\"]')"
    page.run(f"{link}.click()")
    page.run("new Promise(done => setTimeout(done, 300))")
    target = f"document.getElementById({link}.hash.slice(1))"
    assert page.run(f"{target}.getBoundingClientRect().height") > 100
    assert page.run(f"Math.abs({target}.getBoundingClientRect().top)") < 300


def test_the_keyboard_reaches_and_opens_everything(page):
    """Guards against links and pages for the mouse alone, and a focus that cannot be seen."""
    count = page.run("document.querySelectorAll('a, summary, .wide').length")
    seen = []
    for _ in range(count):
        page.press("Tab", 9)
        tag, kind, text, visible, outlined = page.run(_FOCUSED)
        assert visible and outlined, (tag, text)
        seen.append((tag, kind))
        if (tag, text) == ("SUMMARY", "The words used here"):
            page.press("Enter", 13, "\r")
            assert page.run("document.activeElement.parentElement.open")
    assert {"A", "SUMMARY", "DIV"} == {tag for tag, _ in seen}
    assert sum(tag == "SUMMARY" for tag, _ in seen) == page.run("document.querySelectorAll('summary').length")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page, scheme):
    """Guards against grey on grey (WCAG AA), and against figures that are inverted in the dark."""
    page.colour_scheme(scheme)
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run(_POOR_CONTRAST) == {}
    cards = "[...document.querySelectorAll('figure .wide, .charts')]"
    behind = page.run(f"{cards}.map(one => getComputedStyle(one).backgroundColor)")
    assert set(behind) == {"rgb(255, 255, 255)"}
    assert page.run("getComputedStyle(document.images[0]).filter") == "none"


def test_it_prints_on_a_few_pages(page):
    """Guards against a print of every planet."""
    pdf = page.pdf(paperWidth=8.27, paperHeight=11.69, printBackground=True)
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 8
