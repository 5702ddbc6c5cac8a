"""What is here and what is missing, in plain words: for the terminal (`scripts/check_environment`) and for a
Kaggle session.

Nothing is believed that can be tried: the GPU and the optional kernels run an operation.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import NOT_INSTALLED, PROBES, describe, probe
from spectramind_kit.runtime import (
    Device,
    cpu_count,
    find_data_dir,
    find_inputs,
    free_memory_mb,
    probe_device,
    say,
    where_am_i,
)

# Lowest versions as in pyproject.toml; what is lost without an optional one.
REQUIRED = {
    "torch": "2.6",
    "numpy": "2.0",
    "pandas": "2.2",
    "pyarrow": "16",
    "scipy": "1.13",
    "tqdm": "4.66",
    "omegaconf": "2.3",
}
OPTIONAL = {
    "hydra": ("hydra-core", "the configuration is composed by plain OmegaConf, with the same result"),
    "polars": ("polars", "Parquet is read by pyarrow"),
    "matplotlib": ("matplotlib", "no figures"),
    "umap": ("umap-learn", "no UMAP picture in the report"),
    "shap": ("shap", "no SHAP picture in the report"),
    "papermill": ("papermill", "notebooks only by hand"),
}
NEEDED_MEMORY_MB, NEEDED_DISK_MB = 4000, 2000


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``status``: ``ok``, ``note`` (works without) or ``missing`` (does not work
    without)."""

    name: str
    status: str
    text: str
    fix: str = ""


def check_environment(*, data_dir: str | Path = "", work_dir: str | Path = ".") -> list[Finding]:
    """Look at Python, packages, GPU, backends, memory, disk and data. Never raises: a failing check is a
    finding."""
    checks: tuple[Callable[[], list[Finding]], ...] = (
        _python,
        _packages,
        _device,
        _backends,
        lambda: _machine(Path(work_dir)),
        lambda: _data(data_dir),
        _inputs,
    )
    findings: list[Finding] = []
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # a broken wheel can raise anything; the report must come all the same
            findings.append(
                Finding(
                    getattr(check, "__name__", "check").strip("_<>"),
                    "missing",
                    f"{type(error).__name__}: {error}",
                )
            )
    return findings


def _python() -> list[Finding]:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    place = {
        "local": "on your machine",
        "kaggle": "in a Kaggle session",
        "kaggle-rerun": "in Kaggle's rerun",
    }[where_am_i().name]
    return [
        Finding(
            "Python",
            "ok" if good else "missing",
            f"{platform.python_version()} {place}, {sys.executable}",
            "" if good else "use Python 3.11, 3.12 or 3.13",
        )
    ]


def _packages() -> list[Finding]:
    findings = []
    for name, lowest in REQUIRED.items():
        version, why = _try_import(name, name)
        if why:
            findings.append(Finding(name, "missing", why, f"pip install {_again(why)}'{name}>={lowest}'"))
        elif _numbers(version) < _numbers(lowest):
            findings.append(
                Finding(name, "missing", f"{version} is too old", f"pip install '{name}>={lowest}'")
            )
        else:
            findings.append(Finding(name, "ok", version))
    for module, (package, without) in OPTIONAL.items():
        version, why = _try_import(module, package)
        findings.append(
            Finding(
                package,
                "note" if why else "ok",
                f"{why}: {without}" if why else version,
                f"pip install {_again(why)}{package}" if why else "",
            )
        )
    return findings


def _again(why: str) -> str:
    return "" if why == NOT_INSTALLED else "--force-reinstall "


def _try_import(module: str, package: str) -> tuple[str, str]:
    """(version, why not): imported, and asked to do a small thing where the kit knows one."""
    try:
        if module in PROBES:
            why = probe(module)
        else:
            importlib.import_module(module)
            why = ""
    except ModuleNotFoundError as error:
        why = NOT_INSTALLED if (error.name or module) == module else describe(error)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        why = describe(error)
    if why:
        return "", why if why == NOT_INSTALLED else f"is installed and does not work ({why})"
    try:
        return metadata.version(package), ""
    except Exception:
        return str(getattr(sys.modules[module], "__version__", "0")), ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _device() -> list[Finding]:
    device = probe_device()
    fix = (
        ""
        if device.kind == "cuda"
        else "on Kaggle choose the accelerator GPU T4 x2; locally SPECTRAMIND_TORCH=cuda rebuilds "
        "the environment"
    )
    return [
        Finding(
            "GPU", "ok" if device.kind == "cuda" else "note", f"{device.note} (a matrix product ran)", fix
        ),
        Finding("dtype", "ok", f"trains in {device.amp_dtype}"),
        *_other_gpus(device),
    ]


def _other_gpus(device: Device) -> list[Finding]:
    import torch

    count = torch.cuda.device_count() if device.kind == "cuda" else 0
    return [Finding("GPUs", "ok", f"{count} are there")] if count > 1 else []


def _backends() -> list[Finding]:
    import torch

    from spectramind_kit.models.graph_layers import resolve_graph_backend
    from spectramind_kit.models.scan import resolve_scan_backend

    device = torch.device(probe_device().name)
    findings = []
    for form in ("mamba1", "mamba2"):
        try:
            resolve_scan_backend("mamba_ssm", form=form, device=device)
            findings.append(
                Finding(f"{form} scan", "ok", "mamba_ssm's kernel ran and agreed with the kit's own")
            )
        except DataError as error:
            findings.append(Finding(f"{form} scan", "note", f"the kit's own scan in PyTorch ({error.found})"))
    try:
        resolve_graph_backend("torch_scatter", layer="sage")
        findings.append(
            Finding(
                "torch_scatter",
                "ok",
                "it, or pyg-lib, adds up rightly; the kit's own dense path is faster and stays the default",
            )
        )
    except DataError as error:
        findings.append(Finding("torch_scatter", "note", f"the kit's own paths ({error.found})"))
    return findings


def _machine(work_dir: Path) -> list[Finding]:
    memory, cores = free_memory_mb(), cpu_count()
    existing = next(path for path in (work_dir.absolute(), *work_dir.absolute().parents) if path.exists())
    disk = shutil.disk_usage(existing).free / 1e6
    return [
        Finding("cores", "ok", str(cores)),
        Finding(
            "memory",
            "ok" if memory > NEEDED_MEMORY_MB else "missing",
            f"{memory / 1000:.1f} GB free",
            ""
            if memory > NEEDED_MEMORY_MB
            else f"a quick run takes up to {NEEDED_MEMORY_MB / 1000:.0f} GB: close something",
        ),
        Finding(
            "disk",
            "ok" if disk > NEEDED_DISK_MB else "missing",
            f"{disk / 1000:.1f} GB free in {existing}",
            "" if disk > NEEDED_DISK_MB else "make room or choose another work_dir",
        ),
    ]


def _data(data_dir: str | Path) -> list[Finding]:
    from spectramind_kit.detector.layout import find_visits

    try:
        folder = find_data_dir(data_dir)
    except DataError as error:
        return [
            Finding(
                "data",
                "missing" if str(data_dir) else "note",
                f"not found ({error.where})",
                "give the competition's folder with --data; without it scripts/run simulates one",
            )
        ]
    counts = []
    for split in ("train", "test"):
        try:
            visits = find_visits(folder, split)
        except DataError:  # one of the two may be absent or empty
            visits = []
        counts.append(f"{split} {len({visit.planet_id for visit in visits})} planets, {len(visits)} visits")
    empty = all(" 0 planets" in text for text in counts)
    return [
        Finding(
            "data",
            "missing" if empty else "ok",
            f"{folder}; {'; '.join(counts)}",
            "copy the planets' folders too" if empty else "",
        )
    ]


def _inputs() -> list[Finding]:
    if not where_am_i().on_kaggle:
        return []
    runs = [path.parent for path in (*find_inputs("run.json"), *find_inputs("bundle.json"))]
    if not runs:
        return [
            Finding(
                "earlier kernels",
                "note",
                "no output of an earlier kernel and no trained bundle is attached",
                "attach the output of the kernel before this one, or a dataset with a bundle",
            )
        ]
    return [Finding("earlier kernels", "ok", ", ".join(map(str, runs)))]


def render(findings: list[Finding]) -> str:
    """The report as text: one line a finding, and what to do below those that need something."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:8}{finding.name:{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':8}{'':{width}}  -> {finding.fix}")
    missing = [finding.name for finding in findings if finding.status == "missing"]
    lines.append("Everything that is needed is here." if not missing else f"Missing: {', '.join(missing)}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/check_environment",
        description="What is here and what is missing, in plain words. "
        "Ends with 1 when something that is needed is missing.",
    )
    parser.add_argument(
        "--data", default="", metavar="DIR", help="the competition's folder (default: where Kaggle mounts it)"
    )
    parser.add_argument(
        "--work", default=".", metavar="DIR", help="folder whose free space counts (default: here)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args(arguments)
    findings = check_environment(data_dir=options.data, work_dir=options.work)
    say(json.dumps([asdict(finding) for finding in findings], indent=2) if options.json else render(findings))
    return 1 if any(finding.status == "missing" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
