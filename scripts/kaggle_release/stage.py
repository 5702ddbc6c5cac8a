"""`scripts/stage_kaggle`: build the dataset that carries the kit to Kaggle into a folder of its own."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from scripts.kaggle_release.account import configured_owner
from scripts.kaggle_release.kernels import ROOT, dataset_metadata
from spectramind_kit.errors import DataError
from spectramind_kit.runtime import say

KIT_LIMIT_MB = 1.0  # without weights; more means that data or a notebook has slipped into the wheel


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
        _pip(
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(folder),
            str(source),
            stage="building the kit's wheel",
        )
        wheel = next(folder.glob("spectramind_kit-*.whl"))
        _check_kit_wheel(wheel, source)
    return wheel


def _check_kit_wheel(wheel: Path, source: Path) -> None:
    """Raise DataError when modules or configuration files of ``source`` are missing in the wheel, or it is
    too big."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    wanted = {
        path.relative_to(source).as_posix()
        for ending in ("*.py", "*.yaml")
        for path in (source / "spectramind_kit").rglob(ending)
    }
    missing = sorted(wanted - packed)
    if missing:
        raise DataError(
            "the kit's wheel is not complete",
            where=str(wheel),
            found=f"without {missing[0]} and {len(missing) - 1} more",
            fix="see package-data in pyproject.toml, and give each package an __init__.py",
        )
    if wheel.stat().st_size > KIT_LIMIT_MB * 1e6:
        raise DataError(
            "the kit's wheel is too big",
            where=str(wheel),
            expected=f"at most {KIT_LIMIT_MB} MB",
            found=f"{wheel.stat().st_size / 1e6:.2f} MB",
        )


def fetch_pure_wheels(folder: Path) -> list[Path]:
    """Download the pure wheels that Kaggle's image lacks, in the version of requirements.txt: hydra-core."""
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    requirement = re.search(r"^hydra-core==\S+", pins, re.MULTILINE)
    if not requirement:
        raise DataError(
            "hydra-core is not pinned", where="requirements.txt", expected="a line hydra-core==VERSION"
        )
    _pip(
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(folder),
        requirement[0],
        stage=f"fetching {requirement[0]}",
    )
    return sorted(folder.glob("hydra_core-*-none-any.whl"))


def copy_weights(source: Path, folder: Path) -> list[Path]:
    """Copy the ``bundle/`` of a training run, which is all that the submission kernel needs, to
    ``folder``/bundle.

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
    shutil.copytree(bundle, folder / "bundle")
    return [path for path in sorted((folder / "bundle").rglob("*")) if path.is_file()]


def stage(
    folder: Path, *, owner: str, wheels: Path | None = None, weights: Path | None = None
) -> dict[str, float]:
    """Fill ``folder`` afresh with the dataset; returns the size of each part in MB.

    The folder is replaced only when it is absent, empty or an earlier staging.
    """
    if any((folder / name).exists() for name in (".git", "pyproject.toml")) or folder == ROOT:
        raise DataError(
            "the repository itself is never staged", where=str(folder), fix="choose another folder with --out"
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / "dataset-metadata.json").is_file():
        raise DataError(
            "the folder holds something else", where=str(folder), fix="choose an empty folder with --out"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sizes = {"kit": build_kit_wheel(folder).stat().st_size / 1e6}
    sizes["pure_wheels"] = sum(path.stat().st_size for path in fetch_pure_wheels(folder)) / 1e6
    if wheels is not None:
        compiled = sorted(path for path in wheels.glob("*.whl") if not path.name.endswith("-none-any.whl"))
        if not compiled:
            raise DataError(
                "no compiled wheel in the folder",
                where=str(wheels),
                expected="*.whl",
                fix="download the output of the wheels kernel",
            )
        for path in compiled:
            shutil.copy(path, folder / path.name)
        sizes["compiled_wheels"] = sum(path.stat().st_size for path in compiled) / 1e6
    if weights is not None:
        sizes["weights"] = sum(path.stat().st_size for path in copy_weights(weights, folder)) / 1e6
    (folder / "dataset-metadata.json").write_text(
        json.dumps(dataset_metadata(owner=owner), indent=2) + "\n", encoding="utf-8"
    )
    return sizes


def _pip(*arguments: str, stage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [
            line
            for line in (done.stdout + done.stderr).splitlines()
            if line.strip() and not line.startswith("WARNING")
        ]
        raise DataError(f"{stage} failed", where=f"pip {arguments[0]}", found=" / ".join(lines[-4:])[:800])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/stage_kaggle",
        description="Build the dataset that carries the kit to Kaggle: the kit's wheel, hydra-core, and "
        "optionally compiled wheels and a trained bundle. Sends nothing: scripts/push_kaggle dataset does.",
    )
    parser.add_argument("--owner", help="account on Kaggle (default: the CLI's configuration)")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="folder with compiled wheels, from the wheels kernel"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of a training run: its bundle/ goes along, so that submit needs no output of train",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "dist" / "kaggle" / "dataset",
        metavar="DIR",
        help="default: dist/kaggle/dataset",
    )
    options = parser.parse_args(arguments)
    try:
        sizes = stage(
            options.out.resolve(),
            owner=options.owner or configured_owner(),
            wheels=options.wheels,
            weights=options.weights,
        )
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, size in sizes.items():
        say(f"{name:16} {size:8.3f} MB")
    say(f"{'dataset':16} {sum(sizes.values()):8.3f} MB in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
