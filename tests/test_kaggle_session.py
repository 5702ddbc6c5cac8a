"""The rehearsal's own rules are enforced: a test of the rerun is worth what they are worth."""

from __future__ import annotations

import pytest

from tests.kaggle_session import ROOT, attach, run_code, snapshot


@pytest.fixture
def inputs(tmp_path):
    competition = tmp_path / "competition"
    competition.mkdir()
    (competition / "wavelengths.csv").write_text("wl_1\n0.7\n")
    return attach(tmp_path / "input", layout="nested", competition=competition)


@pytest.mark.parametrize(
    "code, breach",
    [
        ("open('{file}', 'a')", "write"),
        ("import os; os.mkdir('{folder}/new')", "os.mkdir"),
        ("import os; os.remove('{file}')", "os.remove"),
        ("import os; os.rename('{file}', 'elsewhere')", "os.rename"),
        ("import pathlib; pathlib.Path('{folder}/x').touch()", "write"),
        ("import socket; socket.create_connection(('example.invalid', 80), timeout=1)", "socket.getaddrinfo"),
        ("import socket; socket.socket().connect(('192.0.2.1', 80))", "socket.connect"),
        ("import urllib.request; urllib.request.urlopen('http://example.invalid/')", "socket.getaddrinfo"),
        ("open('{root}/spectramind_kit/__init__.py')", "checkout"),
    ],
)
def test_each_breach_fails_and_is_written_down(tmp_path, inputs, code, breach):
    """Guards against a rehearsal that allows what Kaggle forbids."""
    folder = next(inputs.rglob("wavelengths.csv")).parent
    before = snapshot(inputs)
    text = code.format(file=folder / "wavelengths.csv", folder=folder, root=ROOT)
    outcome = run_code(
        f"try:\n    {text}\nexcept OSError as error:\n    print('refused', error)\nelse:\n    "
        "print('allowed')",
        tmp_path,
        inputs=inputs,
    )
    assert "refused" in outcome.text, outcome.text
    assert breach in [line.split()[0] for line in outcome.breaches]
    assert snapshot(inputs) == before


def test_what_kaggle_lacks_cannot_be_imported(tmp_path, inputs):
    """Guards against a rerun that works only because this environment has hydra or the checkout."""
    code = "\n".join(
        f"try:\n    import {name}\n    print('{name} is there')\nexcept ImportError:\n    pass"
        for name in ("spectramind_kit", "hydra", "batman")
    )
    outcome = run_code(code + "\nimport numpy\nprint('done')", tmp_path, inputs=inputs)
    assert outcome.text.strip().splitlines()[-1] == "done" and "is there" not in outcome.text, outcome.text


def test_ordinary_work_is_allowed(tmp_path, inputs):
    """Guards against a rehearsal so strict that it fails what Kaggle allows: own files, inputs read, loopback
    sockets."""
    file = next(inputs.rglob("wavelengths.csv"))
    outcome = run_code(
        f"import socket\nopen('own.txt', 'w').write(open('{file}').read())\n"
        "server = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(server.getsockname())\nprint('fine')",
        tmp_path,
        inputs=inputs,
    )
    assert outcome.text.strip() == "fine" and not outcome.breaches, outcome.text
