"""`scripts/stage_kaggle`: build the dataset that carries the kit to Kaggle into a folder of its own."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from scripts.kaggle_release.account import configured_owner
from scripts.kaggle_release.kernels import ROOT, dataset_metadata
from spectramind_kit.command_line import run_command
from spectramind_kit.errors import DataError, in_words
from spectramind_kit.programs import run_program
from spectramind_kit.run_folder.bundles import find_bundles
from spectramind_kit.run_folder.json_file import read_json
from spectramind_kit.runtime import say

KIT_LIMIT_MB = 3.0  # of which the weights of the network are 1.3


def build_kit_wheel(folder: Path) -> Path:
    """Build the kit's wheel into ``folder`` from a clean copy of the source.

    Built in the checkout, setuptools would put what an older ``build/`` still holds into the wheel.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        shutil.copytree(
            ROOT / "spectramind_kit",
            source / "spectramind_kit",
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"),
        )
        for name in ("pyproject.toml", "LICENSE"):
            shutil.copy(ROOT / name, source / name)
        options = ("--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
        _pip("wheel", *options, str(source), stage="building the kit's wheel")
        wheel = next(folder.glob("spectramind_kit-*.whl"))
        _check_kit_wheel(wheel, source)
    return wheel


def _check_kit_wheel(wheel: Path, source: Path) -> None:
    """Raise DataError when modules, configurations or weights are missing in the wheel, or it is too big."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = (
        path for path in (source / "spectramind_kit").rglob("*") if path.suffix in (".py", ".yaml", ".pt")
    )
    if missing := sorted({path.relative_to(source).as_posix() for path in files} - packed):
        raise DataError(
            "the kit's wheel is not complete",
            where=str(wheel),
            found=f"without {missing[0]} and {len(missing) - 1} more",
            fix="see package-data in pyproject.toml, and give each package an __init__.py",
        )
    if (size := _size_mb([wheel])) > KIT_LIMIT_MB:
        expected, found = f"at most {KIT_LIMIT_MB} MB", f"{size:.2f} MB"
        raise DataError("the kit's wheel is too big", where=str(wheel), expected=expected, found=found)


def fetch_pure_wheels(folder: Path) -> list[Path]:
    """Download the pure wheels that Kaggle's image lacks, in the version of requirements.txt: hydra-core."""
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    requirement = re.search(r"^hydra-core==\S+", pins, re.MULTILINE)
    if not requirement:
        expected = "a line hydra-core==VERSION"
        raise DataError("hydra-core is not pinned", where="requirements.txt", expected=expected)
    options = ("--no-deps", "--only-binary=:all:", "--dest", str(folder))
    _pip("download", *options, requirement[0], stage=f"fetching {requirement[0]}")
    return sorted(folder.glob("hydra_core-*-none-any.whl"))


def copy_weights(source: Path, folder: Path) -> list[Path]:
    """Copy a training run's bundle, all that the submission kernel needs, to ``folder``/bundle.

    ``source`` is the run's folder or the bundle itself.
    """
    bundle = source / "bundle" if (source / "bundle").is_dir() else source
    if not (bundle / "bundle.json").is_file():
        raise DataError(
            "no trained bundle in the folder",
            where=str(source),
            expected="bundle/bundle.json, which 02_train writes",
            fix="pass the folder of a training run, or train first: scripts/run",
        )
    _check_bundle(bundle)
    shutil.copytree(bundle, folder / "bundle")
    for copied in find_bundles([folder]):
        say(f"bundle: {replace(copied, folder=bundle).in_words}")
    return [path for path in sorted((folder / "bundle").rglob("*")) if path.is_file()]


def _check_bundle(folder: Path) -> None:
    """Raise DataError for a bundle that this kit, which goes along, would not use with all that it lists."""
    from spectramind_kit.inference.bundle import load_bundle  # torch: only where there is a bundle

    try:
        usable = load_bundle(folder).weights
    except DataError:
        raise
    except Exception as error:  # a cut file raises anything
        fix = "run 02_train again"
        raise DataError("the bundle is damaged", where=str(folder), found=in_words(error), fix=fix) from error
    if (listed := read_json(folder / "bundle.json").get("weights")) and not usable:
        raise DataError(
            "the bundle's network could not be used",
            where=str(folder),
            expected=", ".join(listed),
            found="weights that are missing, or not those that bundle.json was written with",
            fix="pass the folder that 02_train wrote, whole, or run 02_train again",
        )


def copy_compiled_wheels(source: Path, folder: Path) -> list[Path]:
    """Copy what the wheels kernel has built."""
    compiled = sorted(path for path in source.glob("*.whl") if not path.name.endswith("-none-any.whl"))
    if not compiled:
        fix = "download the output of the wheels kernel"
        raise DataError("no compiled wheel in the folder", where=str(source), expected="*.whl", fix=fix)
    return [Path(shutil.copy(path, folder / path.name)) for path in compiled]


def stage(
    folder: Path, *, owner: str, wheels: Path | None = None, weights: Path | None = None
) -> dict[str, float]:
    """Build the dataset beside ``folder`` and put it in its place; returns the size of each part in MB.

    What was there is replaced only if it is empty or an earlier staging, and once the new one is whole.
    """
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        fresh = Path(beside) / "fresh"
        fresh.mkdir()
        parts = {}
        # what a typing error can spoil first, then what needs the network
        if weights is not None:
            parts["weights"] = copy_weights(weights, fresh)
        if wheels is not None:
            parts["compiled_wheels"] = copy_compiled_wheels(wheels, fresh)
        parts |= {"pure_wheels": fetch_pure_wheels(fresh), "kit": [build_kit_wheel(fresh)]}
        metadata = json.dumps(dataset_metadata(owner=owner), indent=2) + "\n"
        (fresh / "dataset-metadata.json").write_text(metadata, encoding="utf-8")
        sizes = {name: _size_mb(paths) for name, paths in parts.items()}
        if folder.exists():
            folder.rename(Path(beside) / "old")
        fresh.rename(folder)
    return sizes


def _check_replaceable(folder: Path) -> None:
    """Raise DataError for the repository, and for a folder with anything that is no earlier staging."""
    if any((folder / name).exists() for name in (".git", "pyproject.toml")) or folder == ROOT:
        fix = "choose another folder with --out"
        raise DataError("the repository itself is never staged", where=str(folder), fix=fix)
    if folder.exists() and any(folder.iterdir()) and not (folder / "dataset-metadata.json").is_file():
        fix = "choose an empty folder with --out"
        raise DataError("the folder holds something else", where=str(folder), fix=fix)


def _size_mb(paths: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6


def _pip(*arguments: str, stage: str) -> None:
    done = run_program([sys.executable, "-m", "pip", *arguments])
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip() and not line.startswith("WARNING")]
        found, fix = (
            " / ".join(lines[-4:])[:800],
            "run the same command again; what was staged before is kept",
        )
        raise DataError(f"{stage} failed", where=f"pip {arguments[0]}", found=found, fix=fix)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/stage_kaggle",
        description="Build the dataset that carries the kit to Kaggle: the kit's wheel, hydra-core, and "
        "optionally compiled wheels and a trained bundle. Sends nothing: scripts/push_kaggle dataset does.",
    )
    add = parser.add_argument
    add("--owner", help="account on Kaggle (default: the CLI's configuration)")
    add("--wheels", type=Path, metavar="DIR", help="folder with compiled wheels, from the wheels kernel")
    weights = "folder of a training run: its bundle/ goes along, so that submit needs no output of train"
    add("--weights", type=Path, metavar="DIR", help=weights)
    out = ROOT / "dist" / "kaggle" / "dataset"
    add("--out", type=Path, default=out, metavar="DIR", help="default: dist/kaggle/dataset")
    options = parser.parse_args(arguments)
    return run_command(lambda: _stage_and_tell(options))


def _stage_and_tell(options: argparse.Namespace) -> None:
    owner = options.owner or configured_owner()
    sizes = stage(options.out.resolve(), owner=owner, wheels=options.wheels, weights=options.weights)
    for name, size in sizes.items():
        say(f"{name:16} {size:8.3f} MB")
    say(f"{'dataset':16} {sum(sizes.values()):8.3f} MB in {options.out}")


if __name__ == "__main__":
    sys.exit(main())
