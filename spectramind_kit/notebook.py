"""Execute a notebook with papermill, after checking its parameters.

papermill only warns about a parameter that the notebook does not have, and runs for hours with the default
instead. Here an unknown or ill-typed parameter, and an unknown Hydra override, is an error that names the
nearest valid one, before anything runs.
"""

from __future__ import annotations

import argparse
import ast
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectramind_kit.command_line import quiet_when_interrupted, run_command
from spectramind_kit.errors import ConfigError, DataError, in_words, nearest
from spectramind_kit.runtime import EncodedStream, check_hours, check_seed, format_seconds, say

_TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook."""

    name: str
    kind: str  # the annotation's outer name (list for list[str]), or that of the default's type
    default: str  # as text
    help: str  # the comment beside it


def notebook_parameters(path: str | Path) -> dict[str, Parameter]:
    """The parameters that a notebook declares in its cell tagged ``parameters``.

    Raises
    ------
    DataError
        The file is missing, is no notebook or has no such cell.
    """
    import papermill

    path = Path(path)
    if not path.is_file():
        neighbours = [str(p) for p in sorted(path.parent.glob("*.ipynb"))] if path.parent.is_dir() else []
        raise DataError("the notebook does not exist", where=str(path), fix=nearest(str(path), neighbours))
    try:
        found = papermill.inspect_notebook(_plain_path(path))
    except Exception as error:  # nbformat raises its own kinds; to the reader it is one thing
        raise DataError("the file is not a notebook", where=str(path), found=in_words(error)) from error
    if not found:
        raise DataError(
            "the notebook declares no parameters",
            where=str(path),
            expected="a cell tagged 'parameters' with literals",
        )
    return {name: _parameter(name, entry) for name, entry in found.items()}


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    kind = _kind(entry["inferred_type_name"], entry["default"])
    return Parameter(name, kind, entry["default"], entry["help"] or "")


def _kind(annotation: str | None, default: str) -> str:
    if annotation and annotation != "None":
        return annotation.split("[")[0].split("|")[0].strip().lower()
    try:
        return type(ast.literal_eval(default)).__name__
    except (ValueError, SyntaxError):
        return "str"


def read_value(text: str, parameter: Parameter) -> Any:
    """A command-line text in the parameter's type: ``3`` for an ``int``, ``a,b`` or ``[a, b]`` for a list.

    Raises ConfigError when the text is not of that type.
    """
    if parameter.kind == "str":
        return text
    if parameter.kind == "bool" and text.lower() in ("true", "false", "1", "0", "yes", "no"):
        return text.lower() in ("true", "1", "yes")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = text
    if parameter.kind == "list" and isinstance(value, tuple):
        value = list(value)
    elif parameter.kind == "list" and not isinstance(value, list):
        value = [part.strip() for part in text.strip("[]").split(",") if part.strip()]
    return check_value(value, parameter)


def check_value(value: Any, parameter: Parameter) -> Any:
    """``value`` if it is of the parameter's type (an int passes for a float), else ConfigError."""
    wanted = _TYPES.get(parameter.kind)
    wrong_bool = isinstance(value, bool) and parameter.kind in ("int", "float")
    if wanted is not None and (wrong_bool or not isinstance(value, wanted)):
        raise ConfigError(
            "a parameter of the wrong type",
            where=parameter.name,
            expected=parameter.kind,
            found=repr(value),
            fix=f"e.g. {parameter.name}={parameter.default}",
        )
    return float(value) if parameter.kind == "float" else value


def check_parameters(path: str | Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check names and types of ``values`` against the notebook at ``path``; texts are converted.

    ``overrides`` (a list of Hydra overrides) is composed once with the kit's configuration, so that a
    misspelt key or a value that makes no run fails here, not after an hour. Raises ConfigError.
    """
    declared = notebook_parameters(path)
    checked = {}
    for name, value in values.items():
        if name not in declared:
            raise ConfigError("unknown parameter", where=str(path), found=name, fix=nearest(name, declared))
        read = read_value if isinstance(value, str) else check_value
        checked[name] = read(value, declared[name])
    _check_ranges(checked)
    if checked.get("overrides") or checked.get("profile"):
        _check_overrides(checked.get("overrides") or [], profile=checked.get("profile"))
    return checked


def _check_overrides(overrides: Sequence[str], *, profile: str | None) -> None:
    from spectramind_kit.configs import load_config

    config = load_config(overrides=list(overrides), **({"profile": profile} if profile else {}))
    if any(str(text).startswith(("model", "loss")) for text in overrides):
        from spectramind_kit.models.build import check_buildable

        check_buildable(config)


def _check_ranges(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            what, fix = "a parameter is no finite number", f"e.g. {name}=9.0"
            raise ConfigError(what, where=name, found=repr(value), fix=fix)
    check_seed(values.get("seed", 0))
    check_hours(values.get("budget_hours", 1.0))


def run_notebook(
    path: str | Path,
    output: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    working_dir: str | Path | None = None,
) -> Path:
    """Execute the notebook at ``path`` and save the executed copy at ``output``, also when a cell fails.

    Parameters
    ----------
    parameters : values for the cell tagged ``parameters``; checked by `check_parameters`.
    working_dir : folder that the notebook runs in (default: the current one).

    Raises
    ------
    ConfigError
        An unknown parameter or override, or one of the wrong type.
    DataError
        A cell failed: says which, with the error's last lines.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    # the kernel of this environment, not a user's own of the same name
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    output = Path(output)
    values = check_parameters(path, parameters or {})
    output.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    out, err = EncodedStream(sys.stdout), EncodedStream(sys.stderr)

    def mute() -> None:
        out.muted = err.muted = True

    try:
        with quiet_when_interrupted(mute):
            papermill.execute_notebook(
                _plain_path(path),
                _plain_path(output),
                parameters=values,
                cwd=str(working_dir) if working_dir else None,
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                stdout_file=out,
                stderr_file=err,
                extra_arguments=["--log-level=CRITICAL"],  # no word of the kernel's own sockets, nor its end
            )
    except PapermillExecutionError as error:
        raise DataError(
            "a cell of the notebook failed",
            where=f"{path}, cell {error.cell_index}",
            found=f"{error.ename}: {error.evalue}",
            fix=f"the executed notebook is in {output}",
        ) from error
    say(f"{Path(path).name}: {format_seconds(time.monotonic() - started)}, executed notebook in {output}")
    return output


def _plain_path(path: Path) -> str:
    """As papermill takes it: it fills in ``{parameter}``, and ``-…`` or ``s3:…`` is no file to it."""
    return str(path.absolute()).replace("{", "{{").replace("}", "}}")


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return run_command(lambda: _do(options))


def _do(options: argparse.Namespace) -> None:
    if options.list:
        for parameter in notebook_parameters(options.notebook).values():
            say(f"{parameter.name}: {parameter.kind} = {parameter.default}   {parameter.help}")
        return
    parameters = read_assignments(options.parameter)
    if options.override:
        parameters["overrides"] = _all_overrides(options, parameters)
    if options.check:
        check_parameters(options.notebook, parameters)
        return
    output = options.out / options.notebook.name
    run_notebook(options.notebook, output, parameters=parameters, working_dir=options.cwd)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/run_notebook",
        description="Execute a notebook with papermill. Unknown parameters are errors; types come from "
        "the notebook.",
        epilog="example: scripts/run_notebook notebooks/02_train.ipynb --out runs/mine -p profile=quick "
        "-p seed=3 -o train.epochs=20",
    )
    add, many = parser.add_argument, {"action": "append", "default": []}
    add("notebook", type=Path)
    add(
        "-p", "--parameter", **many, metavar="NAME=VALUE", help="a parameter of the notebook; may be repeated"
    )
    add(
        "-o",
        "--override",
        **many,
        metavar="KEY=VALUE",
        help="a Hydra override, added to the parameter `overrides`",
    )
    add(
        "--out",
        type=Path,
        default=".",
        metavar="DIR",
        help="folder for the executed notebook (default: here)",
    )
    add("--cwd", type=Path, metavar="DIR", help="folder to run in (default: here)")
    add("--list", action="store_true", help="show the notebook's parameters and exit")
    add("--check", action="store_true", help="check the parameters and exit; nothing runs")
    return parser


def _all_overrides(options: argparse.Namespace, parameters: Mapping[str, str]) -> list[str]:
    """Those of the parameter `overrides`, then those of -o."""
    declared = notebook_parameters(options.notebook)
    if "overrides" not in declared:
        fix = nearest("overrides", declared)
        raise ConfigError("the notebook takes no overrides", where=str(options.notebook), fix=fix)
    given = read_value(parameters.get("overrides", "[]"), declared["overrides"])
    return [*given, *options.override]


def read_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Texts ``NAME=VALUE`` as a dict; the values stay texts. Raises ConfigError for another form."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigError("a parameter is written NAME=VALUE", found=text)
        values[name.strip()] = value
    return values


if __name__ == "__main__":
    sys.exit(main())
