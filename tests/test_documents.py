"""README and docs: blocks marked ``python`` run, commands marked ``bash`` have options that exist."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^( *)```(python|bash)\n(.*?)\n\1```$", re.MULTILINE | re.DOTALL)
_SMALL = {  # what a reader runs → what a test has time for
    r"n_train=\d+": "n_train=1",
    r"n_test=\d+": "n_test=1",
    r"cadence='full'": "cadence='reduced'",
    r"jobs=\d+": "jobs=1",
    r"simulate_light_curves\(\d+": "simulate_light_curves(4",
    r"folds=\d+": "folds=2",
}
ALONE = (
    *("extract_light_curve", "build_light_curves", "simulate_competition", "simulate_light_curves"),
    *("fit_anchor", "cross_fit", "build_model", "Fgs1Mamba", "CompositeLoss"),
    *("predict", "load_bundle", "gll_score"),
)


def blocks(document: Path, language: str) -> list[str]:
    found = _BLOCK.findall(document.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for _, kind, text in found if kind == language]


def small(text: str) -> str:
    for pattern, replacement in _SMALL.items():
        text = re.sub(pattern, replacement, text)
    return text


# ---------------------------------------------------------------- Python


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    from spectramind_kit.simulator import simulate_competition

    folder = tmp_path_factory.mktemp("documents")
    return simulate_competition(folder, n_train=1, n_test=1, seed=3, cadence="reduced", jobs=1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    from tests.inference.shipped_bundle import write_shipped_bundle

    return write_shipped_bundle(tmp_path_factory.mktemp("bundle") / "bundle")


@contextlib.contextmanager
def scheduler():
    """The address of a Dask cluster in this process, where Dask is installed."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    settings = dict(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with distributed.LocalCluster(**settings) as cluster:
        yield cluster.scheduler_address


WITH_PYTHON = [path for path in DOCUMENTS if blocks(path, "python")]


@pytest.mark.parametrize("document", WITH_PYTHON, ids=lambda path: path.name)
def test_python_blocks_run(document, competition, bundle, tmp_path, monkeypatch):
    """Guards against the first thing that a newcomer copies being an ImportError. All blocks are run: what a
    reader cannot run does not belong in one."""
    from spectramind_kit.models import Fgs1Mamba

    shutil.copytree(bundle, tmp_path / "runs" / "quick" / "bundle")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)  # one process is enough
    monkeypatch.setattr(sys.modules["__main__"], "MyEncoder", Fgs1Mamba, raising=False)
    # what the documents take for granted; a block goes on where the one before it ended
    names: dict[str, object] = {"data_dir": competition.data_dir, "store": tmp_path / "store"}
    for number, text in enumerate(blocks(document, "python"), 1):
        code = small(text)
        with contextlib.ExitStack() as stack:
            if "tcp://scheduler:8786" in code:
                code = code.replace("tcp://scheduler:8786", stack.enter_context(scheduler()))
            exec(compile(code, f"{document.name}, block {number}", "exec"), names)
    if document.name == "README.md":  # it ran, and on something
        assert names["spectra"].source.tolist() == ["both"] and names["untaught"].source.tolist() == [
            "network"
        ]
        assert names["anchor"].planet_id == names["curve"].planet_id and 0.0 < names["score"] <= 1.0


def test_every_part_that_works_alone_is_called():
    """Guards against a name that the README promises and that no page shows how to call."""
    shown = "\n".join(text for document in DOCUMENTS for text in blocks(document, "python"))
    for name in ALONE:
        assert re.search(rf"\b{name}\(", shown), f"{name} is called in no document"


# ---------------------------------------------------------------- shell


def commands() -> list[tuple[str, list[str]]]:
    """(document, words) of each command of a block, and of each `scripts/…` in the running text."""
    lines = []
    for path in DOCUMENTS:
        lines += [(path.name, line) for text in blocks(path, "bash") for line in text.splitlines()]
        text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
        lines += [(path.name, span) for span in re.findall(r"`((?:bash )?scripts/\w+ [^`\n]*)`", text)]
    found = []
    for document, line in lines:
        for part in re.split(r"&&|;", line) if "python -c" not in line else [line]:
            words = shlex.split(part.replace("[", "").replace("]", ""), comments=True)
            if words:
                found.append((document, words[1:] if words[0] == "bash" else words))
    return found


COMMANDS = commands()
SCRIPTS = sorted({words[0] for _, words in COMMANDS if words[0].startswith("scripts/")})
needs_bash = pytest.mark.skipif(os.name != "posix", reason="bash is not installed")


@pytest.fixture(scope="module")
def help_of(tmp_path_factory):
    from tests.standing_environment import standing_environment

    environment = standing_environment(tmp_path_factory.mktemp("standing"))
    texts: dict[str, str] = {}

    def ask(script: str) -> str:
        if script not in texts:
            command = ["bash", str(ROOT / script), "--help"]
            settings = dict(env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
            done = subprocess.run(command, **settings, timeout=120)
            assert done.returncode == 0, done.stderr
            texts[script] = done.stdout
        return texts[script]

    return ask


def test_the_documents_name_commands():
    """Guards against a search that finds nothing and so passes."""
    assert {"scripts/run", "scripts/test", "scripts/simulate", "scripts/push_kaggle"} <= set(SCRIPTS)
    assert len(COMMANDS) > 20


@needs_bash
@pytest.mark.parametrize("script", SCRIPTS)
def test_options_of_commands_exist(script, help_of):
    """Guards against a command that a reader copies and that ends with 'unknown argument'."""
    wrong = []
    for document, words in COMMANDS:
        if words[0] == script and script != "scripts/test":  # its arguments go on to pytest
            options = [
                word for word in words[1:] if re.fullmatch(r"--?[a-z][\w-]*", word) if word != "--help"
            ]
            wrong += [
                f"{document}: {option}"
                for option in options
                if not re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(script))
            ]
    assert not wrong


@needs_bash
def test_names_in_commands_exist(help_of):
    """Guards against a benchmark, kernel, notebook or test file that was renamed."""
    for document, (script, *words) in COMMANDS:
        if script in ("scripts/benchmark", "scripts/push_kaggle") and words and words[0].islower():
            assert re.search(rf"\b{words[0]}\b", help_of(script)), f"{document}: {script} {words[0]}"
        for word in words:
            if re.match(r"(notebooks|tests)/", word):
                assert (ROOT / word.split("::")[0]).exists(), f"{document}: {word}"


def test_overrides_in_commands_are_taken():
    """Guards against an override in the README that the configuration refuses, and an option in
    docs/kaggle.md that does not apply."""
    from scripts.kaggle_release.push_options import chosen_kernel, chosen_parameters, read_options
    from spectramind_kit.notebook import check_parameters

    checked = 0
    for _, words in COMMANDS:
        if words[0] == "scripts/push_kaggle" and words[1].islower():  # not NAME
            options = read_options(words[1:])
            if options.what != "dataset":
                chosen_parameters(options, chosen_kernel(options))
            continue
        pairs = [pair for pair in pairwise(words) if "=" in pair[1]]
        overrides = [value for name, value in pairs if name == "-o"]
        parameters = [value for name, value in pairs if name == "-p"]
        given = dict(value.split("=", 1) for value in parameters)
        if overrides or given:
            check_parameters(ROOT / "notebooks" / "02_train.ipynb", {**given, "overrides": overrides})
            checked += 1
    assert checked >= 2


@pytest.mark.slow
def test_commands_of_python_run(tmp_path):
    """Guards against a measurement that nobody can repeat: `python -c` in docs/kaggle.md."""
    lines = [words for _, words in COMMANDS if words[0] == "python"]
    assert lines
    for _, flag, code in lines:
        settings = dict(cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=300)
        done = subprocess.run(
            [sys.executable, flag, small(code)], capture_output=True, encoding="utf-8", **settings
        )
        assert done.returncode == 0, done.stderr
