"""`scripts/benchmark NAME`: import NAME.py from this folder, call its `run(quick=…)`, keep its figures."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

from spectramind_kit.errors import ConfigError, DataError, check_choice
from spectramind_kit.runtime import format_seconds, say

FOLDER = Path(__file__).resolve().parent


def benchmark_names(folder: Path = FOLDER) -> list[str]:
    """Names of the benchmarks: the modules of the folder that do not begin with an underscore."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def first_line(path: Path) -> str:
    """First line of a module's docstring, read without importing it."""
    import ast

    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def load_benchmark(name: str, folder: Path = FOLDER) -> ModuleType:
    """Import the benchmark called ``name``; raise ConfigError with the nearest name when there is none."""
    check_choice(name, benchmark_names(folder), what="benchmark")
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and worker processes look their module up by name
    spec.loader.exec_module(module)
    if not callable(getattr(module, "run", None)):
        what, fix = "a benchmark without run(quick=…)", "define run(*, quick: bool) -> dict"
        raise ConfigError(what, where=str(folder / f"{name}.py"), fix=fix)
    return module


def flatten(figures: dict, prefix: str = "") -> dict[str, object]:
    """Nested figures as one level: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``."""
    flat: dict[str, object] = {}
    for name, value in figures.items():
        nested = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return flat


def table(figures: dict) -> str:
    """The figures as two columns of text."""
    flat = {
        name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in flatten(figures).items()
    }
    width = max(map(len, flat), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in flat.items())


def main(arguments: list[str] | None = None) -> int:
    lines = [f"  {name:24} {first_line(FOLDER / f'{name}.py')}" for name in benchmark_names()]
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark",
        description="Measure one part of the kit and print the figures.",
        epilog="\n".join(["benchmarks:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="one of the names below", metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    quick = "small sizes: shows that it works, not the figures to quote"
    parser.add_argument("--quick", action="store_true", help=quick)
    options = parser.parse_args(arguments)
    try:
        sys.path.insert(0, str(FOLDER))  # a benchmark may import a neighbour that begins with an underscore
        started, cpu = time.monotonic(), time.process_time()
        figures = load_benchmark(options.name).run(quick=options.quick)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not isinstance(figures, dict):
        kind = type(figures).__name__
        print(f"error: {options.name}.run returned {kind}, not a dict of figures", file=sys.stderr)
        return 2
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2, default=float) + "\n", encoding="utf-8")
    say(table(figures))
    spent = f"{format_seconds(time.monotonic() - started)}, {time.process_time() - cpu:.1f} CPU s"
    say(f"{options.name}: {spent}" + (f", figures in {options.json}" if options.json else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
