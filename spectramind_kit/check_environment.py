"""What is here and what is missing, in plain words: for `scripts/check_environment` and a Kaggle session.

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
from functools import partial
from importlib import metadata
from pathlib import Path

from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import NOT_INSTALLED, PROBES, describe, probe
from spectramind_kit.runtime import (
    cpu_count,
    find_data_dir,
    find_inputs,
    free_memory_mb,
    probe_device,
    say,
    where_am_i,
)

# Lowest versions as in pyproject.toml; what is lost without an optional one.
REQUIRED = dict(
    torch="2.6", numpy="2.0", pandas="2.2", pyarrow="16", scipy="1.13", tqdm="4.66", omegaconf="2.3"
)
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
    """One line of the report."""

    name: str
    status: str  # ok, note (works without) or missing (does not work without)
    text: str
    fix: str = ""  # what to do, where it is not ok


def _finding(name: str, good: bool, text: str, fix: str = "", *, otherwise: str = "missing") -> Finding:
    return Finding(name, "ok", text) if good else Finding(name, otherwise, text, fix)


def check_environment(*, data_dir: str | Path = "", work_dir: str | Path = ".") -> list[Finding]:
    """Look at Python, packages, GPU, backends, memory, disk and data. A failing check is a finding."""
    checks: dict[str, Callable[[], list[Finding]]] = {
        "python": _python,
        "packages": _packages,
        "device": _device,
        "backends": _backends,
        "machine": lambda: _machine(Path(work_dir)),
        "data": lambda: _data(data_dir),
        "inputs": _inputs,
    }
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            findings += check()
        except Exception as error:  # a broken wheel can raise anything; the report must come all the same
            findings.append(Finding(name, "missing", describe(error)))
    return findings


def _python() -> list[Finding]:
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    places = {
        "local": "on your machine",
        "kaggle": "in a Kaggle session",
        "kaggle-rerun": "in Kaggle's rerun",
    }
    text = f"{platform.python_version()} {places[where_am_i().name]}, {sys.executable}"
    return [_finding("Python", good, text, "use Python 3.11, 3.12 or 3.13")]


def _packages() -> list[Finding]:
    findings = []
    for name, lowest in REQUIRED.items():
        version, why = _try_import(name, name)
        good = not why and _numbers(version) >= _numbers(lowest)
        text = why or (version if good else f"{version} is too old")
        findings.append(_finding(name, good, text, f"pip install {_again(why)}'{name}>={lowest}'"))
    for module, (package, without) in OPTIONAL.items():
        version, why = _try_import(module, package)
        text, fix = f"{why}: {without}" if why else version, f"pip install {_again(why)}{package}"
        findings.append(_finding(package, not why, text, fix, otherwise="note"))
    return findings


def _again(why: str) -> str:
    return "" if why in ("", NOT_INSTALLED) else "--force-reinstall "


def _try_import(module: str, package: str) -> tuple[str, str]:
    """(version, why not): imported, and asked to do a small thing where the kit knows one."""
    why = probe(module, PROBES.get(module, partial(importlib.import_module, module)))
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
    on_gpu = device.kind == "cuda"
    choose = (
        "on Kaggle choose the accelerator GPU T4 x2; locally SPECTRAMIND_TORCH=cuda rebuilds the environment"
    )
    text = f"{device.note} (a matrix product ran)"
    findings = [
        _finding("GPU", on_gpu, text, choose, otherwise="note"),
        Finding("dtype", "ok", f"trains in {device.amp_dtype}"),
    ]
    if on_gpu and (count := _gpu_count()) > 1:
        findings.append(Finding("GPUs", "ok", f"{count} are there"))
    return findings


def _gpu_count() -> int:
    import torch

    return torch.cuda.device_count()


def _backends() -> list[Finding]:
    import torch

    from spectramind_kit.models.graph_layers import resolve_graph_backend
    from spectramind_kit.models.scan import resolve_scan_backend

    device = torch.device(probe_device().name)
    findings = []
    for form in ("mamba1", "mamba2"):
        try:
            resolve_scan_backend("mamba_ssm", form=form, device=device)
            status, text = "ok", "mamba_ssm's kernel ran and agreed with the kit's own"
        except DataError as error:
            status, text = "note", f"the kit's own scan in PyTorch ({error.found})"
        findings.append(Finding(f"{form} scan", status, text))
    try:
        resolve_graph_backend("torch_scatter", layer="sage")
        status = "ok"
        text = "it, or pyg-lib, adds up rightly; the kit's own dense path is faster and stays the default"
    except DataError as error:
        status, text = "note", f"the kit's own paths ({error.found})"
    return [*findings, Finding("torch_scatter", status, text)]


def _machine(work_dir: Path) -> list[Finding]:
    memory = free_memory_mb()
    existing = next(path for path in (work_dir.absolute(), *work_dir.absolute().parents) if path.exists())
    disk = shutil.disk_usage(existing).free / 1e6
    close = f"a quick run takes up to {NEEDED_MEMORY_MB / 1000:.0f} GB: close something"
    room = "make room or choose another work_dir"
    return [
        Finding("cores", "ok", str(cpu_count())),
        _finding("memory", memory > NEEDED_MEMORY_MB, f"{memory / 1000:.1f} GB free", close),
        _finding("disk", disk > NEEDED_DISK_MB, f"{disk / 1000:.1f} GB free in {existing}", room),
    ]


def _data(data_dir: str | Path) -> list[Finding]:
    from spectramind_kit.detector.layout import find_visits

    try:
        folder = find_data_dir(data_dir)
    except DataError as error:
        give = "give the competition's folder with --data; without it scripts/run simulates one"
        return [Finding("data", "missing" if str(data_dir) else "note", f"not found ({error.where})", give)]
    counts, planets = [], 0
    for split in ("train", "test"):
        try:
            visits = find_visits(folder, split)
        except DataError:  # one of the two may be absent or empty
            visits = []
        here = len({visit.planet_id for visit in visits})
        counts.append(f"{split} {here} planets, {len(visits)} visits")
        planets += here
    return [_finding("data", planets > 0, f"{folder}; {'; '.join(counts)}", "copy the planets' folders too")]


def _inputs() -> list[Finding]:
    if not where_am_i().on_kaggle:
        return []
    runs = [path.parent for path in (*find_inputs("run.json"), *find_inputs("bundle.json"))]
    found = ", ".join(map(str, runs)) or "no output of an earlier kernel and no trained bundle is attached"
    attach = "attach the output of the kernel before this one, or a dataset with a bundle"
    return [_finding("earlier kernels", bool(runs), found, attach, otherwise="note")]


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
    add = parser.add_argument
    add(
        "--data", default="", metavar="DIR", help="the competition's folder (default: where Kaggle mounts it)"
    )
    add("--work", default=".", metavar="DIR", help="folder whose free space counts (default: here)")
    add("--json", action="store_true", help="print JSON instead of text")
    options = parser.parse_args(arguments)
    findings = check_environment(data_dir=options.data, work_dir=options.work)
    say(json.dumps([asdict(finding) for finding in findings], indent=2) if options.json else render(findings))
    return 1 if any(finding.status == "missing" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
