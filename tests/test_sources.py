"""Sources that can be followed: what a file of the project cites is in the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = ROOT / "docs" / "decisions.md"
_FOLDERS = ("docs", "notebooks", "scripts", "spectramind_kit", "tests", ".ci")
_TEXT = {".py", ".md", ".yaml", ".ipynb", ".toml", ".txt", ".sh", ".json", ""}

_DOCUMENT = re.compile(r"(?<![\w/.{}*-])(?:\.\./)*(?:[\w-]+/)*[\w-]+\.md\b")  # a path, or a bare name
_WEB = re.compile(r"https?://\S+")
_SECTION = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)* §")  # a plan by its name alone
_PLAN = re.compile(r"\bADR[ -]?\d+")
_ENTRY = re.compile(r"^#### (D\d+)$", re.MULTILINE)
_CITED = re.compile(r"decisions\.md[`)]* ?((?:(?:, | and |–)?D\d+)+)|decisions\.md#(d\d+)")


def project_files() -> list[Path]:
    """Text files that are the project's; not this one, whose patterns are no citations."""
    found = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in _TEXT]
    for folder in _FOLDERS:
        found += [
            path
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
            and path.suffix in _TEXT
            and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        ]
    return sorted(path for path in found if path != Path(__file__).resolve())


def missing_documents(text: str, folder: Path) -> list[str]:
    """Cited documents that are neither beside the file, nor in the project's root, nor in docs/."""
    cited = dict.fromkeys(_DOCUMENT.findall(_WEB.sub("", text)))
    return [
        name for name in cited if not any((place / name).is_file() for place in (folder, ROOT, ROOT / "docs"))
    ]


def cited_entries(text: str) -> set[str]:
    runs = [run or anchor for run, anchor in _CITED.findall(text)]
    return {number.upper() for run in runs for number in re.findall(r"[Dd]\d+", run)}


@pytest.fixture(scope="module")
def texts() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8", errors="replace") for path in project_files()}


def test_cited_documents_are_in_the_project(texts):
    """Guards against reasons that stand in a document which nobody but its author has."""
    lost = {
        str(path.relative_to(ROOT)): names
        for path, text in texts.items()
        if (names := missing_documents(text, path.parent))
    }
    assert not lost


def test_plans_are_cited_through_the_decisions(texts):
    """Guards against numbers of plans, and sections of documents by name, that lead nowhere."""
    found = {
        str(path.relative_to(ROOT)): names
        for path, text in texts.items()
        if path != DECISIONS
        if (names := _PLAN.findall(text) + _SECTION.findall(text))
    }
    assert not found


def test_cited_decisions_exist(texts):
    """Guards against a number that was mistyped, or whose entry was taken away."""
    entries = set(_ENTRY.findall(texts[DECISIONS]))
    lost = {
        str(path.relative_to(ROOT)): sorted(names)
        for path, text in texts.items()
        if (names := cited_entries(text) - entries)
    }
    assert not lost


def test_every_decision_has_its_own_number_and_a_date(texts):
    """Guards against two entries of one number after a merge, and against an entry without its time."""
    parts = _ENTRY.split(texts[DECISIONS])
    numbers, bodies = parts[1::2], parts[2::2]
    assert len(numbers) > 50 and len(set(numbers)) == len(numbers)
    assert [
        number
        for number, body in zip(numbers, bodies, strict=True)
        if not re.search(r"\b20\d\d-\d\d-\d\d\b", body.split("\n## ")[0])
    ] == []


def test_decisions_refer_to_each_other(texts):
    """Guards against a reference inside the page to an entry that is not there."""
    text = texts[DECISIONS]
    assert set(re.findall(r"\bD\d+\b", text)) <= set(_ENTRY.findall(text))


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("# 5 % (PLAN_OF_OLD.md §3)", ["PLAN_OF_OLD.md"]),
        ("see docs/nowhere.md", ["docs/nowhere.md"]),
        ("see ../beside/NOTES.md", ["../beside/NOTES.md"]),
        ("docs/model.md, README.md and model.md", []),
        ("https://example.org/THEIRS.md", []),
    ],
)
def test_the_search_finds_what_it_should(text, lost):
    """A search that finds nothing would pass everywhere."""
    assert missing_documents(text, ROOT / "spectramind_kit") == lost


def test_the_search_finds_entries():
    assert cited_entries("(docs/decisions.md D7, D8) and decisions.md#d12") == {"D7", "D8", "D12"}
    assert _PLAN.search("(ADR 0004)") and _SECTION.search("WHAT_HELPS §3")
