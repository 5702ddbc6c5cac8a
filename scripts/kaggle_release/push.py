"""`scripts/push_kaggle`: push a kernel, or create or renew the dataset, with the stock Kaggle CLI."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.kaggle_release.account import configured_owner
from scripts.kaggle_release.kaggle_cli import check_answer, run_cli
from scripts.kaggle_release.kernels import (
    KERNELS,
    PLACEHOLDER_OWNER,
    ROOT,
    check_dataset_metadata,
    find_kernel,
    write_kernel_folder,
)
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.runtime import say

STAGED = ROOT / "dist" / "kaggle"


def push_kernel(
    name: str, *, owner: str, folder: Path, hours: float | None, with_wheels: bool, dry_run: bool
) -> str:
    """Write the kernel's folder and push it; returns its address on Kaggle (empty for a dry run)."""
    write_kernel_folder(find_kernel(name), folder, owner=owner, with_wheels=with_wheels)
    command = ["kernels", "push", "-p", str(folder)]
    if hours is not None:
        command += ["-t", str(round(hours * 3600))]
    metadata = (folder / "kernel-metadata.json").read_text(encoding="utf-8").rstrip()
    return _send(command, [metadata], dry_run=dry_run)


def push_dataset(*, owner: str, folder: Path, version: str | None, dry_run: bool) -> str:
    """Create the dataset from the staged folder, or give it a new version; returns its address on Kaggle."""
    files = check_staged(folder, owner=owner)
    what = ["version", "-m", version] if version is not None else ["create"]
    command = ["datasets", *what, "-p", str(folder), "-r", "zip"]  # without -r folders are left out silently
    sizes = [f"  {path.relative_to(folder)}  {path.stat().st_size / 1e6:.2f} MB" for path in files]
    return _send(command, sizes, dry_run=dry_run)


def _send(command: Sequence[str], content: Sequence[str], *, dry_run: bool) -> str:
    """Call the CLI, or say what would be sent; the address on Kaggle, empty for a dry run."""
    if dry_run:
        say(f"dry run, nothing is sent: kaggle {' '.join(command)}")
        for line in content:
            say(line)
        return ""
    answer = run_cli(*command)
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
    if not any(path.name.startswith("spectramind_kit-") for path in files):
        raise DataError("the kit's wheel is missing in the staged folder", where=str(folder), fix=fix)
    return files


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/push_kaggle",
        description="Push a kernel or the dataset to Kaggle with the stock CLI. A failure that the CLI "
        "only prints is an error here.",
        epilog="order the first time: dataset, light_curves, train, submit (each kernel after the one before "
        "has run)",
    )
    add = parser.add_argument
    which = "which kernel, or the dataset that scripts/stage_kaggle has staged"
    add("what", choices=[*KERNELS, "dataset"], help=which)
    add("--dry-run", action="store_true", help="write the files, show what would be sent, send nothing")
    add("--owner", help="account on Kaggle (default: the CLI's configuration)")
    add("--version", metavar="NOTES", help="dataset: a new version of an existing one")
    add("--hours", type=float, help="kernel: stop it after so many hours")
    wheels = "train, submit: also attach the output of the wheels kernel"
    add("--with-wheels", action="store_true", help=wheels)
    add("--folder", type=Path, help="where the files are written or staged (default: dist/kaggle/NAME)")
    options = parser.parse_args(arguments)
    folder = (options.folder or STAGED / options.what).resolve()
    try:
        owner = options.owner or configured_owner()
        if owner == PLACEHOLDER_OWNER:
            raise DataError("the owner is not filled in", found=owner, fix="pass --owner YOUR-NAME")
        if options.what == "dataset":
            url = push_dataset(owner=owner, folder=folder, version=options.version, dry_run=options.dry_run)
        else:
            url = push_kernel(
                options.what,
                owner=owner,
                folder=folder,
                hours=options.hours,
                with_wheels=options.with_wheels,
                dry_run=options.dry_run,
            )
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if url:
        say(f"pushed {options.what}: {url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
