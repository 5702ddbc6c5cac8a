"""Optional packages that are installed and do not work."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import numpy as np

from robustness_cases import Case, Outcome
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import PROBES, why_not

KIND = "installed is not working"
ROOT = Path(__file__).resolve().parents[3]
_PANIC = "class PanicException(BaseException): pass\nraise PanicException('no such instruction')\n"
_STAGE_1 = """
import sys
from spectramind_kit.detector.store import build_light_curves
report = build_light_curves(sys.argv[1], sys.argv[2], workers=1)
print("failed:", [f.error for f in report.failed])
"""


def run_python(
    code: str, *arguments: object, cwd: Path, before: Path | None = None, **variables: str
) -> subprocess.CompletedProcess:
    """A process of its own that finds the kit, and packages of ``before`` ahead of those installed."""
    path = os.pathsep.join([*([str(before)] if before else []), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=300,
    )


def line_with(text: str, words: str) -> str:
    """The first line that holds ``words``, for the table."""
    return next((line.strip()[:160] for line in text.splitlines() if words in line), "")


def simulated(scratch: Path, planets: int = 1) -> Path:
    from spectramind_kit.simulator import simulate_competition

    with redirect_stdout(StringIO()):
        return Path(
            simulate_competition(
                scratch / "simulated", n_train=planets, n_test=0, seed=11, cadence="reduced"
            ).data_dir
        )


@contextmanager
def fresh_probes(**changed) -> Iterator[StringIO]:
    """Probes that are asked anew, some of them replaced; what is said meanwhile."""
    from spectramind_kit.runtime import say_once

    why_not.cache_clear()
    say_once.cache_clear()
    try:
        with mock.patch.dict(PROBES, changed), redirect_stdout(StringIO()) as out:
            yield out
    finally:
        why_not.cache_clear()
        say_once.cache_clear()


def failing(error: BaseException):
    def fail(*arguments, **settings):
        raise error

    return fail


# ---------------------------------------------------------------- cases


def polars_that_does_not_import(scratch: Path) -> Outcome:
    from spectramind_kit.detector.store import LightCurveStore, build_light_curves

    data = simulated(scratch)
    with redirect_stdout(StringIO()):
        right = build_light_curves(data, scratch / "right", workers=1)
    (scratch / "site" / "polars").mkdir(parents=True)
    (scratch / "site" / "polars" / "__init__.py").write_text(_PANIC, encoding="utf-8")
    done = run_python(_STAGE_1, data, scratch / "store", cwd=scratch, before=scratch / "site")
    said = line_with(done.stdout, "polars is installed and does not work")
    try:
        equal = all(
            np.array_equal(LightCurveStore(scratch / "store").load(*v).flux, right.store.load(*v).flux)
            for v in right.visits
        )
    except DataError:
        equal = False
    return Outcome(
        wrong=done.returncode != 0 or not equal or "failed: []" not in done.stdout,
        said=said if equal else "",
        note="pyarrow reads the same light curve" if equal else done.stdout[-200:],
    )


def polars_asked_for(scratch: Path) -> Outcome:
    from spectramind_kit.detector.frames import all_pixels, read_frames
    from spectramind_kit.detector.instrument import FGS1
    from spectramind_kit.detector.layout import find_visits

    path = find_visits(simulated(scratch), "train")[0].signal(FGS1)
    with fresh_probes(polars=failing(OSError("undefined symbol"))):
        try:
            read_frames(path, all_pixels(FGS1), reader="polars")
        except DataError as error:
            right = "undefined symbol" in error.found and "copy" not in error.fix
            return Outcome(
                wrong=not right,
                said=f"{error.what} ({error.found})" if right else "",
                note="an error with the package's cause",
            )
    return Outcome(wrong=True, note="another reader than the one asked for")


def file_that_only_pyarrow_reads(scratch: Path) -> Outcome:
    from spectramind_kit.detector import frames
    from spectramind_kit.detector.instrument import FGS1
    from spectramind_kit.detector.layout import find_visits

    path = find_visits(simulated(scratch), "train")[0].signal(FGS1)
    right = frames.read_frames(path, frames.all_pixels(FGS1))
    with (
        fresh_probes(polars=lambda: None) as out,
        mock.patch.object(frames, "_read_polars", failing(RuntimeError("range end index"))),
        mock.patch.object(
            frames, "_column_names", lambda path, reader: [f"column_{k}" for k in range(FGS1.n_pixels)]
        ),
    ):
        found = frames.read_frames(path, frames.all_pixels(FGS1))
    return Outcome(
        wrong=not np.array_equal(found, right),
        said=line_with(out.getvalue(), "pyarrow reads the file")[-80:],
        note="the same frames",
    )


def hydra_that_does_not_compose(scratch: Path) -> Outcome:
    from omegaconf import OmegaConf

    from spectramind_kit import configs

    right = OmegaConf.to_container(configs.load_config(overrides=["train.epochs=7"], use_hydra=False))
    with (
        fresh_probes(hydra=lambda: None) as out,
        mock.patch.object(configs, "_compose_with_hydra", failing(AttributeError("antlr4 4.13 is not 4.9"))),
    ):
        found = OmegaConf.to_container(configs.load_config(overrides=["train.epochs=7"]))
    return Outcome(
        wrong=found != right,
        said=line_with(out.getvalue(), "hydra-core is installed"),
        note="the same configuration",
    )


def mamba_without_its_kernel(scratch: Path) -> Outcome:
    import torch

    from spectramind_kit.models import scan
    from spectramind_kit.models.mamba import Mamba

    torch.manual_seed(0)
    layer, hidden = Mamba(32, 16), torch.randn(2, 40, 32)
    right = layer(hidden)
    stand_in = types.ModuleType("mamba_ssm")
    stand_in.selective_scan_fn = failing(RuntimeError("mamba_ssm was built without the kernel"))
    names = ("mamba_ssm", "mamba_ssm.ops", "mamba_ssm.ops.selective_scan_interface")
    with fresh_probes() as out, mock.patch.dict(sys.modules, dict.fromkeys(names, stand_in)):
        probed = scan._why_not.__wrapped__("mamba1", "cpu", 0)
        layer.scan_backend_used["cpu"] = "mamba_ssm"  # as if the probe had passed for its shapes
        found = layer(hidden)
    return Outcome(
        wrong=not torch.equal(found, right) or not probed,
        said=line_with(out.getvalue(), "built without the kernel"),
        note="the kit's own scan",
    )


def pyg_lib_in_place_of_torch_scatter(scratch: Path) -> Outcome:
    import torch

    from spectramind_kit.models import graph_layers
    from spectramind_kit.models.wavelength_graph import build_wavelength_graph

    def scatter_sum(src, index, dim=-1, out=None, dim_size=None):
        size = list(src.shape)
        size[dim] = dim_size
        return src.new_zeros(size).index_add_(dim, index, src)

    package = types.ModuleType("pyg_lib.ops")
    package.scatter_sum = scatter_sum
    graph = build_wavelength_graph(torch.linspace(1.9518, 3.895, 282))
    results = {}
    graph_layers._scatter_add.cache_clear()
    try:
        with mock.patch.dict(
            sys.modules,
            {"torch_scatter": None, "pyg_lib": types.ModuleType("pyg_lib"), "pyg_lib.ops": package},
        ):
            for backend in ("index_add", "torch_scatter"):
                torch.manual_seed(0)
                results[backend] = graph_layers.SageLayer(16, backend=backend)(torch.ones(1, 282, 16), graph)
    finally:
        graph_layers._scatter_add.cache_clear()
    return Outcome(wrong=not torch.allclose(*results.values(), atol=1e-6), note="its sums are used")


CASES = [
    Case(
        "polars installed, fails at its import",
        KIND,
        'every file "cannot be decoded … copy the file again"',
        polars_that_does_not_import,
    ),
    Case("reader=polars with a broken polars", KIND, "blames the user's file", polars_asked_for),
    Case(
        "a file that polars cannot decode and pyarrow can",
        KIND,
        "the planet is lost",
        file_that_only_pyarrow_reads,
    ),
    Case(
        "hydra-core installed, fails when it composes",
        KIND,
        "AttributeError ends the run",
        hydra_that_does_not_compose,
    ),
    Case(
        "mamba-ssm built without its kernel",
        KIND,
        "RuntimeError at a call after the probe",
        mamba_without_its_kernel,
    ),
    Case(
        "pyg-lib's scatter, no torch_scatter",
        KIND,
        "torch_scatter cannot be imported",
        pyg_lib_in_place_of_torch_scatter,
    ),
]
