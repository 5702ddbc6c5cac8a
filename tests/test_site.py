"""``docs/`` as a site: it builds, every link and anchor leads somewhere, and it needs no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def build(root: Path, out: Path) -> subprocess.CompletedProcess:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (requirements.txt has it)")
    pytest.importorskip("material", reason="mkdocs-material is not installed (requirements.txt has it)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


def test_every_document_is_a_page(site):
    """Guards against a document that no menu leads to: a warning of mkdocs, and an error here."""
    for path in (ROOT / "docs").glob("*.md"):
        page = site / "index.html" if path.stem == "index" else site / path.stem / "index.html"
        assert page.is_file(), f"{path.name} has no page"


def test_nothing_is_fetched(site):
    """Guards against fonts and scripts of other servers: the site is read where there is no network."""
    loaded = re.compile(
        r"<(?:script|img|iframe)[^>]*\ssrc=\"(https?:[^\"]+)|<link[^>]*stylesheet[^>]*href=\"(https?:[^\"]+)"
    )
    for page in site.rglob("*.html"):
        assert not loaded.findall(page.read_text(encoding="utf-8")), page


def test_tables_and_figures_arrive(site):
    """Guards against Markdown that only GitHub reads: a table left as text, a figure left behind."""
    for page in site.rglob("index.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<p>\s*\|", text), f"{page}: a table is left as text"
        for source in re.findall(r"<img[^>]*\ssrc=\"([^\"]+)\"", text):
            assert (page.parent / source).is_file(), f"{page}: {source}"


def test_a_dead_link_is_an_error(tmp_path):
    """Guards against a check that lets everything pass."""
    (tmp_path / "docs").mkdir()
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(settings.split("nav:")[0], encoding="utf-8")
    for link in ("nowhere" + ".md", "#nowhere"):
        (tmp_path / "docs" / "index.md").write_text(f"# A page\n\n[a link]({link})\n", encoding="utf-8")
        assert build(tmp_path, tmp_path / "out").returncode != 0, link
