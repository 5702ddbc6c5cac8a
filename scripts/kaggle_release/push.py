"""`scripts/push_kaggle`: push a kernel, or create or renew the dataset, with the stock Kaggle CLI."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.kaggle_release.account import configured_owner
from scripts.kaggle_release.kaggle_cli import check_answer, run_cli
from scripts.kaggle_release.kernel_folder import write_kernel_folder
from scripts.kaggle_release.kernels import KIT_WHEEL, PLACEHOLDER_OWNER, Kernel, check_dataset_metadata
from scripts.kaggle_release.push_options import (
    STAGED,
    check_weights_staged,
    chosen_kernel,
    chosen_parameters,
    read_options,
)
from spectramind_kit.command_line import run_command
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.runtime import say

_KERNEL_MINUTES, _UPLOAD_MINUTES = 5.0, 60.0


def push_kernel(
    kernel: Kernel,
    *,
    owner: str,
    folder: Path,
    parameters: Mapping[str, Any],
    hours: float | None,
    dry_run: bool,
) -> str:
    """Write the kernel's folder and push it; returns its address on Kaggle (empty for a dry run)."""
    write_kernel_folder(kernel, folder, owner=owner, parameters=parameters)
    command = ["kernels", "push", "-p", str(folder)]
    if hours is not None:
        command += ["-t", str(round(hours * 3600))]
    for name, value in parameters.items():
        say(f"parameter: {name} = {value!r}")
    metadata = (folder / "kernel-metadata.json").read_text(encoding="utf-8").rstrip()
    url = _send(command, [metadata], dry_run=dry_run, minutes=_KERNEL_MINUTES)
    asked = f"{owner}/{kernel.slug}".lower()
    if url and not re.search(rf"/{re.escape(asked)}(?![a-z0-9-])", url.lower()):
        fix = "delete one of the two on kaggle.com, or name this one in --reads where its output is wanted"
        print(f"note: Kaggle has put the kernel at {url}, not at {asked}: {fix}", file=sys.stderr)
    return url


def push_dataset(*, owner: str, folder: Path, version: str | None, minutes: float, dry_run: bool) -> str:
    """Create the dataset from the staged folder, or give it a new version; returns its address on Kaggle."""
    files = check_staged(folder, owner=owner)
    what = ["version", "-m", version] if version is not None else ["create"]
    command = ["datasets", *what, "-p", str(folder), "-r", "zip"]  # without -r folders are left out silently
    sizes = [f"  {path.relative_to(folder)}  {path.stat().st_size / 1e6:.2f} MB" for path in files]
    return _send(command, sizes, dry_run=dry_run, minutes=minutes)


def _send(command: Sequence[str], content: Sequence[str], *, dry_run: bool, minutes: float) -> str:
    """Call the CLI, or say what would be sent; the address on Kaggle, empty for a dry run."""
    if dry_run:
        say(f"dry run, nothing is sent: kaggle {' '.join(command)}")
        for line in content:
            say(line)
        return ""
    answer = run_cli(*command, timeout_s=60 * minutes, show=command[0] == "datasets")
    check_answer(answer)
    return answer.url


def check_staged(folder: Path, *, owner: str) -> list[Path]:
    """The staged files, after checking that the folder is a staged one, whole, and not the repository."""
    fix = "run scripts/stage_kaggle first"
    metadata = folder / "dataset-metadata.json"
    if not metadata.is_file():
        raise DataError("nothing is staged", where=str(folder), expected="dataset-metadata.json", fix=fix)
    if any((folder / name).exists() for name in (".git", "pyproject.toml", "notebooks")):
        raise DataError("this is the repository, not a staged folder", where=str(folder), fix=fix)
    try:
        content = json.loads(metadata.read_text(encoding="utf-8"))
        check_dataset_metadata(content)
    except (ValueError, KeyError, TypeError) as error:  # no JSON, no UTF-8, a key that is missing
        what = "the staged metadata are damaged"
        raise DataError(what, where=str(metadata), found=in_words(error), fix=fix) from error
    if content["id"].split("/")[0] != owner:
        what, found = "the folder was staged for another owner", content["id"]
        raise DataError(what, where=str(metadata), expected=owner, found=found, fix=fix)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path != metadata]
    if not (folder / KIT_WHEEL).is_file():
        what = "the wheel of this version of the kit is missing in the staged folder"
        raise DataError(what, where=str(folder), expected=KIT_WHEEL, fix=fix)
    return files


def main(arguments: list[str] | None = None) -> int:
    return run_command(lambda: _push(read_options(arguments)))


def _push(options: argparse.Namespace) -> None:
    if options.owner == PLACEHOLDER_OWNER:
        raise DataError("the owner is not filled in", found=options.owner, fix="pass --owner YOUR-NAME")
    folder, send = (options.folder or STAGED / options.what).resolve(), {"dry_run": options.dry_run}
    if options.what == "dataset":
        send["minutes"] = options.minutes or _UPLOAD_MINUTES
        owner = options.owner or configured_owner()
        url = push_dataset(owner=owner, folder=folder, version=options.version, **send)
    else:
        kernel = chosen_kernel(options)
        send["parameters"] = chosen_parameters(options, kernel)
        if options.weights_in_dataset:
            check_weights_staged(STAGED / "dataset")
        owner = options.owner or configured_owner()
        url = push_kernel(kernel, owner=owner, folder=folder, hours=options.hours, **send)
    if url:
        say(f"pushed {options.what}: {url}")


if __name__ == "__main__":
    sys.exit(main())
