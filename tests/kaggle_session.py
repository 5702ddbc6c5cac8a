"""A Kaggle session on this machine: no network, no checkout, no foreign package, inputs that stay as is.

The rules are enforced in every Python process of the session by an audit hook, which C code cannot go around
and nothing can remove; a breach fails at once and is written down, so that a caller who swallows the error is
found out too. Where the system lets us, the session also runs in a network namespace with nothing but
loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spectramind_kit.programs import run_program

ROOT = Path(__file__).resolve().parents[1]
COMPETITION = "ariel-data-challenge-2025"
LAYOUTS = {  # Kaggle has mounted inputs in both ways
    "flat": {"competition": COMPETITION, "dataset": "spectramind-kit", "kernel": "{slug}"},
    "nested": {
        "competition": f"competitions/{COMPETITION}",
        "dataset": "datasets/someone/spectramind-kit",
        "kernel": "notebooks/someone/{slug}",
    },
}

SITECUSTOMIZE = """
import importlib.machinery, ipaddress, os, sys

INPUTS, CHECKOUT, BREACHES = {inputs!r}, {checkout!r}, {breaches!r}
ABSENT = ("hydra", "mamba_ssm", "causal_conv1d", "torch_scatter", "batman")      # not in Kaggle's image
WRITES = {{"os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.link": (0, 1),
          "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "os.utime": (0,), "shutil.rmtree": (0,)}}

def inside(path, folder):
    try:
        full = os.path.realpath(os.fspath(path))
    except (TypeError, ValueError):
        return False
    full = os.fsdecode(full)
    return full == folder or full.startswith(folder + os.sep)

def breach(text):
    descriptor = posix_open(BREACHES, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (text + "\\n").encode())
    os.close(descriptor)

def local(address):
    if not isinstance(address, tuple):
        return True                                                             # a Unix socket
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return address[0] in ("localhost", "")

busy = False
posix_open = os.open

def hook(event, arguments):
    global busy
    if busy:
        return
    busy = True
    try:
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, (str, bytes)):
                writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
                if writing and inside(path, INPUTS):
                    breach(f"write {{path}}")
                    raise OSError(30, "Read-only file system", path)
                own = ("spectramind_kit", "notebooks", "scripts")
                if any(inside(path, os.path.join(CHECKOUT, name)) for name in own):
                    breach(f"checkout {{path}}")
                    raise FileNotFoundError(2, "not on Kaggle", path)
        elif event in WRITES:
            for place in WRITES[event]:
                if inside(arguments[place], INPUTS):
                    breach(f"{{event}} {{arguments[place]}}")
                    raise OSError(30, "Read-only file system", arguments[place])
        elif event in ("socket.connect", "socket.sendto") and not local(arguments[1]):
            breach(f"{{event}} {{arguments[1]}}")
            raise OSError(101, "Network is unreachable")
        elif event == "socket.getaddrinfo" and not local((arguments[0] or "",)):
            breach(f"{{event}} {{arguments[0]}}")
            raise OSError(-3, "Temporary failure in name resolution")
    finally:
        busy = False

sys.addaudithook(hook)
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != CHECKOUT]
found = importlib.machinery.PathFinder.find_spec.__func__

def find_spec(cls, name, path=None, target=None):
    if path is None and name in ABSENT:
        path = [entry for entry in sys.path if "site-packages" not in entry]
    return found(cls, name, path, target)

importlib.machinery.PathFinder.find_spec = classmethod(find_spec)
"""


@dataclass(frozen=True)
class Outcome:
    """What a session left: its exit code, what it printed, its folder, and the rules that it broke."""

    exit_code: int
    text: str
    working: Path
    breaches: list[str]

    @property
    def submission(self) -> Path:
        return self.working / "submission.csv"

    @property
    def record(self) -> dict:
        return json.loads((self.working / "run.json").read_text(encoding="utf-8"))


def attach(
    inputs: Path,
    *,
    layout: str,
    competition: Path,
    dataset: Path | None = None,
    kernels: dict[str, Path] | None = None,
) -> Path:
    """An input tree of hard links: Kaggle mounts real folders; a walk does not follow symbolic links."""
    places = LAYOUTS[layout]
    parts = {places["competition"]: competition}
    if dataset is not None:
        parts[places["dataset"]] = dataset
    for slug, output in (kernels or {}).items():
        parts[places["kernel"].format(slug=slug)] = output
    for place, source in parts.items():
        shutil.copytree(source, inputs / place, copy_function=os.link)
    return inputs


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file: what a session may not change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Session:
    """A session whose files lie in ``folder``."""

    folder: Path
    inputs: Path
    rerun: bool
    gpu: bool = True

    @property
    def working(self) -> Path:
        return self.folder / "working"

    def run(self, command: list[str], *, timeout_s: float, cwd: Path | None = None) -> Outcome:
        """The command's end; ``text`` holds both of its streams."""
        environment = self._environment()
        command = [*network_namespace(), sys.executable, *command]
        done = run_program(command, timeout_s=timeout_s, environment=environment, cwd=cwd or self.working)
        breaches = self.folder / "breaches.txt"
        found = breaches.read_text().splitlines() if breaches.exists() else []
        return Outcome(done.returncode, done.stdout, self.working, found)

    def _environment(self) -> dict[str, str]:
        site, home = self.folder / "site", self.folder / "home"
        for place in (self.working, site, home):
            place.mkdir(parents=True, exist_ok=True)
        places = dict(inputs=str(self.inputs.resolve()), checkout=str(ROOT))
        rules = SITECUSTOMIZE.format(breaches=str(self.folder / "breaches.txt"), **places)
        (site / "sitecustomize.py").write_text(rules)
        foreign = ("KAGGLE_", "SPECTRAMIND_", "ARIEL_", "PIP_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        environment = kept | {
            "PYTHONPATH": str(site),
            "HOME": str(home),
            "SPECTRAMIND_INPUT": str(self.inputs),
            "MPLBACKEND": "Agg",
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        if self.rerun:
            environment["KAGGLE_IS_COMPETITION_RERUN"] = "1"
        if not self.gpu:
            environment["CUDA_VISIBLE_DEVICES"] = ""
        return environment


@cache
def network_namespace() -> tuple[str, ...]:
    """A command prefix for a namespace with only loopback, or nothing where the system does not allow one."""
    prefix = ("unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "session")
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return ()
    probe = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname(), timeout=5)"
    )
    done = run_program([*prefix, sys.executable, "-c", probe], timeout_s=60)
    return prefix if done.returncode == 0 else ()


def run_kernel(
    notebook: Path,
    folder: Path,
    *,
    inputs: Path,
    rerun: bool,
    gpu: bool = True,
    timeout_s: float = 900,
    **parameters: object,
) -> Outcome:
    """Run a notebook as Kaggle does: copied away from the checkout, in a folder of its own, parameters as in
    the file unless given."""
    session = Session(folder, inputs, rerun=rerun, gpu=gpu)
    kernel = folder / "kernel"
    kernel.mkdir(parents=True, exist_ok=True)
    source = shutil.copy(notebook, kernel / "__notebook__.ipynb")
    command = ["-m", "papermill", str(source), str(kernel / "__results__.ipynb"), "-k", "python3"]
    command += ["--cwd", str(session.working), "--log-output", "--no-progress-bar"]
    command += ["-y", json.dumps(parameters)] if parameters else []  # JSON is YAML, and keeps the types
    return session.run(command, timeout_s=timeout_s, cwd=folder)


def run_code(code: str, folder: Path, *, inputs: Path, rerun: bool = True) -> Outcome:
    """Run a piece of Python in a session."""
    return Session(folder, inputs, rerun=rerun).run(["-c", code], timeout_s=120)
