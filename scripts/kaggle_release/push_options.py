"""What `scripts/push_kaggle` can be asked for, and whether it fits what is pushed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.kaggle_release.kernels import KERNELS, ROOT, WHEELS, Kernel, find_kernel, slug_of
from spectramind_kit.detector.building import select_shard
from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.notebook import check_parameters, read_assignments
from spectramind_kit.run_folder.bundles import BUNDLE

STAGED = ROOT / "dist" / "kaggle"
_ONLY_FOR = {  # option: what it can be given with
    "version": ("dataset",),
    "minutes": ("dataset",),
    "hours": tuple(KERNELS),
    "slug": tuple(KERNELS),
    "parameter": tuple(KERNELS),
    "reads": ("light_curves", "train", "submit"),
    "with_wheels": ("train", "submit"),
    "weights_in_dataset": ("submit",),
}


def read_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; ends the program where it is none."""
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
    add("--folder", type=Path, help="where the files are written or staged (default: dist/kaggle/NAME)")
    dataset = parser.add_argument_group("the dataset")
    dataset.add_argument("--version", metavar="NOTES", help="a new version of an existing one")
    limit = "end an upload that takes longer (default: 60)"
    dataset.add_argument("--minutes", type=float, metavar="M", help=limit)
    add = parser.add_argument_group("a kernel").add_argument
    add("--hours", type=float, metavar="H", help="stop it after so many hours, and set its budget_hours")
    add("--slug", help="push it as OWNER/SLUG in place of its own, e.g. for one of several shards")
    parameter = "a parameter of the notebook, written into its parameters cell; may be repeated"
    add("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help=parameter)
    reads = "attach the output of this kernel in place of the usual one; may be repeated"
    add("--reads", action="append", default=[], metavar="SLUG", help=reads)
    wheels = "train, submit: also attach the output of the wheels kernel"
    add("--with-wheels", action="store_true", help=wheels)
    weights = "submit: attach no train kernel; the bundle is in the dataset (stage_kaggle --weights)"
    add("--weights-in-dataset", action="store_true", help=weights)
    options = parser.parse_args(arguments)
    check_applies(options)
    return options


def check_applies(options: argparse.Namespace) -> None:
    """Raise ConfigError for an option that means nothing for what is pushed."""
    for name, kinds in _ONLY_FOR.items():
        given = getattr(options, name) not in (None, False, [])
        if given and options.what not in kinds:
            option = f"--{name.replace('_', '-')}"
            fix = f"leave it out; it goes with: {', '.join(kinds)}"
            raise ConfigError(f"{option} does not apply to {options.what}", found=option, fix=fix)
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        raise ConfigError("a time limit must be positive", where="--minutes", found=str(options.minutes))


def chosen_kernel(options: argparse.Namespace) -> Kernel:
    """The kernel with the slug and the sources that were asked for. ConfigError for a slug that is none."""
    kernel = find_kernel(options.what)
    slug = kernel.slug if options.slug is None else options.slug
    if slug != slug_of(slug) or not 5 <= len(slug) <= 50:
        expected = "5 to 50 small letters, digits and single hyphens, without the owner"
        raise ConfigError("not a kernel's slug", where="--slug", found=slug, expected=expected)
    reads = tuple(options.reads) or (() if options.weights_in_dataset else kernel.reads)
    return replace(kernel, slug=slug, reads=(*reads, *([WHEELS] if options.with_wheels else [])))


def chosen_parameters(options: argparse.Namespace, kernel: Kernel) -> dict[str, Any]:
    """Parameters of the notebook, checked against its own: names, types, ranges. Raises ConfigError."""
    _check_hours(options.hours, kernel.hours, where="--hours")
    given = read_assignments(options.parameter)
    if options.hours is not None:
        given.setdefault("budget_hours", options.hours)
    values = check_parameters(ROOT / kernel.notebook, given) if given else {}
    select_shard([], values.get("shard"))
    _check_hours(values.get("budget_hours"), options.hours or kernel.hours, where="budget_hours")
    return values


def _check_hours(hours: float | None, limit: float, *, where: str) -> None:
    if hours is not None and not 1 / 60 <= hours <= limit:
        expected = f"at least a minute, at most {limit:g} hours"
        raise ConfigError("not a time that Kaggle gives", where=where, expected=expected, found=f"{hours:g}")


def check_weights_staged(folder: Path) -> None:
    """Raise DataError unless the staged dataset holds a bundle."""
    if not (folder / BUNDLE).is_file():
        raise DataError(
            "the staged dataset holds no weights",
            where=str(folder),
            expected=BUNDLE,
            fix="scripts/stage_kaggle --weights runs/full, then scripts/push_kaggle dataset",
        )
