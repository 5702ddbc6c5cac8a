"""Which Parquet reader is used, and what happens when it is installed and does not work, or cannot decode one
file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spectramind_kit.detector import parquet_reader
from spectramind_kit.detector.frames import all_pixels, read_frames
from spectramind_kit.detector.instrument import FGS1
from spectramind_kit.detector.parquet_reader import read_with, reader_in_use
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import PROBES, why_not


@pytest.fixture(autouse=True)
def fresh():
    why_not.cache_clear()
    parquet_reader.say_once.cache_clear()
    yield
    why_not.cache_clear()
    parquet_reader.say_once.cache_clear()


def broken(monkeypatch, package: str, error: BaseException) -> None:
    def fail():
        raise error

    monkeypatch.setitem(PROBES, package, fail)


def test_a_broken_polars_is_said_once_and_pyarrow_reads(tmp_path, kit, monkeypatch, capsys):
    """Guards against 'the file cannot be decoded, copy it again' for every file of a machine whose polars is
    broken."""
    values = np.arange(37 * 1024, dtype="uint16").reshape(37, 1024)
    kit.parquet(values, tmp_path / "f.parquet")
    broken(monkeypatch, "polars", OSError("undefined symbol: x"))
    for _ in range(2):
        np.testing.assert_array_equal(read_frames(tmp_path / "f.parquet", all_pixels(FGS1)), values)
    assert reader_in_use() == "pyarrow"
    out = capsys.readouterr().out
    assert out.count("polars is installed and does not work") == 1 and "OSError: undefined symbol: x" in out


def test_a_reader_that_was_asked_for_is_an_error_with_its_cause(tmp_path, kit, monkeypatch):
    """Guards against blaming the user's file for a broken package, and against another reader than the one
    asked for."""
    kit.parquet(np.ones((3, 1024), "uint16"), tmp_path / "f.parquet")
    broken(monkeypatch, "polars", RuntimeError("compiled for another processor"))
    with pytest.raises(DataError, match="polars was asked for and does not work") as caught:
        read_frames(tmp_path / "f.parquet", all_pixels(FGS1), reader="polars")
    assert "another processor" in caught.value.found and "copy" not in caught.value.fix
    with pytest.raises(DataError, match="unknown Parquet reader"):
        reader_in_use("pandas")
    broken(monkeypatch, "pyarrow", ImportError("libarrow.so"))
    with pytest.raises(DataError, match="no Parquet reader works") as caught:
        reader_in_use()
    assert "another processor" in caught.value.found and "libarrow.so" in caught.value.found


def test_the_other_reader_is_tried_before_a_file_is_called_damaged(tmp_path, capsys):
    """Guards against giving up a file for which only one reader is too old or too new; and names both where
    none can."""

    class PanicException(BaseException):
        pass

    def first_fails(name):
        if name == "polars":
            raise PanicException("range end index 7 out of range")
        return name

    words = {"what": "it cannot be decoded", "expected": "x", "fix": "y"}
    if why_not("polars"):
        pytest.skip("polars does not work here")
    assert read_with(first_fails, tmp_path / "f", reader="auto", **words) == "pyarrow"
    out = capsys.readouterr().out
    assert "polars: PanicException: range end" in out and "pyarrow reads the file" in out
    with pytest.raises(DataError, match="cannot be decoded"):
        read_with(first_fails, tmp_path / "f", reader="polars", **words)

    def both_fail(name):
        raise ValueError(f"{name} says no")

    with pytest.raises(DataError) as caught:
        read_with(both_fail, tmp_path / "f", reader="auto", **words)
    assert "polars says no" in caught.value.found and "pyarrow says no" in caught.value.found


def test_what_the_content_lacks_is_no_reason_for_another_reader(tmp_path):
    """Guards against reading a wrong file twice, and against Ctrl-C that is taken for a damaged file."""
    calls = []
    for error in (DataError("wrong number of pixel columns"), KeyboardInterrupt(), MemoryError()):

        def fail(name, error=error):
            calls.append(name)
            raise error

        with pytest.raises(type(error)):
            read_with(fail, tmp_path / "f", reader="auto", what="w", expected="e", fix="f")
    assert len(calls) == 3


def test_a_run_with_a_broken_polars_on_the_path(tmp_path, make_competition):
    """Guards the whole of stage 1, workers included: a package that panics at its import costs no planet."""
    data = make_competition(planets=(11, 12))
    (tmp_path / "site" / "polars").mkdir(parents=True)
    (tmp_path / "site" / "polars" / "__init__.py").write_text(
        "class PanicException(BaseException): pass\nraise PanicException('no such instruction')\n",
        encoding="utf-8",
    )
    code = (
        "import sys\nfrom spectramind_kit.detector import build_light_curves\n"
        "from spectramind_kit.runtime import describe_environment\n"
        "report = build_light_curves(sys.argv[1], sys.argv[2], workers=2)\n"
        "print('done', len(report.done), len(report.failed))\n"
        "print(describe_environment()['not_working'])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(data), str(tmp_path / "store")],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**__import__("os").environ, "PYTHONPATH": f"{tmp_path / 'site'}:{root}"},
        timeout=120,
    )
    assert "done 2 0" in done.stdout, done.stdout + done.stderr
    assert (
        done.stdout.count("polars is installed and does not work (PanicException: no such instruction)") == 1
    )
    assert "'polars': 'PanicException: no such instruction'" in done.stdout and "Traceback" not in done.stderr
