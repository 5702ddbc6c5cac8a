"""Optional packages that are installed and do not work."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from unittest import mock

import numpy as np

from robustness_cases import Outcome, case
from robustness_cases._process import run_python, simulated
from robustness_cases._said import captured, line_with
from spectramind_kit.errors import DataError
from spectramind_kit.optional_packages import PROBES, why_not

_case = partial(case, kind="installed is not working")
_PANIC = "class PanicException(BaseException): pass\nraise PanicException('no such instruction')\n"
_STAGE_1 = """
import sys
from spectramind_kit.detector import build_light_curves
report = build_light_curves(sys.argv[1], sys.argv[2], workers=1)
print("failed:", [f.error for f in report.failed])
"""


@contextmanager
def fresh_probes(**changed) -> Iterator[StringIO]:
    """Probes that are asked anew, some of them replaced; what is said meanwhile."""
    from spectramind_kit.runtime import say_once

    why_not.cache_clear()
    say_once.cache_clear()
    try:
        with mock.patch.dict(PROBES, changed), captured() as out:
            yield out
    finally:
        why_not.cache_clear()
        say_once.cache_clear()


def failing(error: BaseException) -> mock.Mock:
    return mock.Mock(side_effect=error)


@_case("polars installed, fails at its import", before='every file "cannot be decoded … copy the file again"')
def polars_that_does_not_import(scratch: Path) -> Outcome:
    from spectramind_kit.detector import LightCurveStore, build_light_curves

    data = simulated(scratch)
    with captured():
        right = build_light_curves(data, scratch / "right", workers=1)
    (scratch / "site" / "polars").mkdir(parents=True)
    (scratch / "site" / "polars" / "__init__.py").write_text(_PANIC, encoding="utf-8")
    done = run_python(_STAGE_1, data, scratch / "store", cwd=scratch, before=scratch / "site")
    said = line_with(done.stdout, "polars is installed and does not work")
    store = LightCurveStore(scratch / "store")
    try:
        equal = all(np.array_equal(store.load(*v).flux, right.store.load(*v).flux) for v in right.visits)
    except DataError:
        equal = False
    wrong = done.returncode != 0 or not equal or "failed: []" not in done.stdout
    note = "pyarrow reads the same light curve" if equal else done.stdout[-200:]
    return Outcome(wrong=wrong, said=said if equal else "", note=note)


@_case("reader=polars with a broken polars", before="blames the user's file")
def polars_asked_for(scratch: Path) -> Outcome:
    from spectramind_kit.detector import FGS1, find_visits
    from spectramind_kit.detector.frames import all_pixels, read_frames

    path = find_visits(simulated(scratch), "train")[0].signal(FGS1)
    with fresh_probes(polars=failing(OSError("undefined symbol"))):
        try:
            read_frames(path, all_pixels(FGS1), reader="polars")
        except DataError as error:
            right = "undefined symbol" in error.found and "copy" not in error.fix
            said = f"{error.what} ({error.found})" if right else ""
            return Outcome(wrong=not right, said=said, note="an error with the package's cause")
    return Outcome(wrong=True, note="another reader than the one asked for")


@_case("a file that polars cannot decode and pyarrow can", before="the planet is lost")
def file_that_only_pyarrow_reads(scratch: Path) -> Outcome:
    from spectramind_kit.detector import FGS1, find_visits, frames

    path = find_visits(simulated(scratch), "train")[0].signal(FGS1)
    right = frames.read_frames(path, frames.all_pixels(FGS1))
    names = [f"column_{k}" for k in range(FGS1.n_pixels)]
    fails = failing(RuntimeError("range end index"))
    broken = mock.patch.multiple(frames, _read_polars=fails, _column_names=lambda path, reader: names)
    with fresh_probes(polars=lambda: None) as out, broken:
        found = frames.read_frames(path, frames.all_pixels(FGS1))
    said = line_with(out.getvalue(), "pyarrow reads the file")
    return Outcome(wrong=not np.array_equal(found, right), said=said, note="the same frames")


@_case("hydra-core installed, fails when it composes", before="AttributeError ends the run")
def hydra_that_does_not_compose(scratch: Path) -> Outcome:
    from omegaconf import OmegaConf

    from spectramind_kit import configs
    from spectramind_kit.configs import composition

    right = OmegaConf.to_container(configs.load_config(overrides=["train.epochs=7"], use_hydra=False))
    fails = failing(AttributeError("antlr4 4.13 is not 4.9"))
    with (
        fresh_probes(hydra=lambda: None) as out,
        mock.patch.object(composition, "_compose_with_hydra", fails),
    ):
        found = OmegaConf.to_container(configs.load_config(overrides=["train.epochs=7"]))
    said = line_with(out.getvalue(), "hydra-core is installed")
    return Outcome(wrong=found != right, said=said, note="the same configuration")


@_case("mamba-ssm built without its kernel", before="RuntimeError at a call after the probe")
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
    said, same = line_with(out.getvalue(), "built without the kernel"), torch.equal(found, right)
    return Outcome(wrong=not same or not probed, said=said, note="the kit's own scan")


@_case("pyg-lib's scatter, no torch_scatter", before="torch_scatter cannot be imported")
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
        modules = {"torch_scatter": None, "pyg_lib": types.ModuleType("pyg_lib"), "pyg_lib.ops": package}
        with mock.patch.dict(sys.modules, modules):
            for backend in ("index_add", "torch_scatter"):
                torch.manual_seed(0)
                results[backend] = graph_layers.SageLayer(16, backend=backend)(torch.ones(1, 282, 16), graph)
    finally:
        graph_layers._scatter_add.cache_clear()
    return Outcome(wrong=not torch.allclose(*results.values(), atol=1e-6), note="its sums are used")


CASES = [
    *(polars_that_does_not_import, polars_asked_for, file_that_only_pyarrow_reads),
    *(hydra_that_does_not_compose, mamba_without_its_kernel, pyg_lib_in_place_of_torch_scatter),
]
