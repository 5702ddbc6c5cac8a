"""`spectramind_kit.optional_packages`: installed is not working."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
import torch

from spectramind_kit import optional_packages
from spectramind_kit.errors import DataError
from spectramind_kit.models.selective_scan import selective_scan_chunked
from spectramind_kit.optional_packages import (
    EXTRAS,
    NOT_INSTALLED,
    PROBES,
    how_to_install,
    probe,
    require,
    scatter_add_function,
    why_not,
)
from spectramind_kit.simulator.panel import plot_panel
from spectramind_kit.transit import plot_anchor

# What broken wheels have raised at their import; pyo3's PanicException derives from BaseException.
BROKEN = [
    "raise ImportError('DLL load failed')",
    "raise OSError('undefined symbol: _ZN3c10')",
    "raise RuntimeError('compiled for NumPy 1')",
    "raise AttributeError('module numpy has no attribute bool8')",
    "class PanicException(BaseException): pass\nraise PanicException('called unwrap')",
    "raise SystemExit(1)",
    "import a_package_that_it_needs_and_lacks",
]


@pytest.fixture(autouse=True)
def fresh():
    why_not.cache_clear()
    yield
    why_not.cache_clear()


def stand_in(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text + "\n", encoding="utf-8")


@pytest.mark.parametrize("package", sorted(PROBES))
def test_a_working_package_is_one_that_did_something(package):
    """Guards against a probe that cannot succeed (the package would never be used) or raises in place of
    telling."""
    found = probe(package)
    assert isinstance(found, str)
    if package in ("pyarrow", "tqdm"):  # required
        assert found == ""


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize(
    "package", ["polars", "hydra", "matplotlib", "shap", "torch_scatter", "mamba_ssm", "causal_conv1d"]
)
def test_a_package_that_does_not_import_is_told_with_its_cause(tmp_path, monkeypatch, package, text):
    """Guards against find_spec(): each of these is installed, and its first use would end the run."""
    stand_in(tmp_path, package, text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    found = probe(package)
    cause = re.search(r"'(.*)'|(SystemExit)|(a_package.*)", text)[0].strip("'")
    assert cause in found and found != NOT_INSTALLED


def test_an_absent_package_is_not_installed(monkeypatch):
    """Guards against an alarm for what is simply not there."""
    monkeypatch.setitem(sys.modules, "polars", None)
    assert "polars" in (found := probe("polars")) or found == NOT_INSTALLED
    monkeypatch.setitem(PROBES, "nowhere", lambda: __import__("nowhere"))
    assert probe("nowhere") == NOT_INSTALLED


def test_an_empty_shell_of_a_package_is_not_working(tmp_path, monkeypatch):
    """Guards against a half-removed package, which imports as a namespace without content."""
    (tmp_path / "polars").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "polars"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "polars", types.ModuleType("polars"))
    assert "AttributeError" in probe("polars")


def test_a_processor_that_polars_warns_of_is_not_used(tmp_path):
    """Guards against SIGILL: polars warns at its import and then ends the interpreter."""
    stand_in(
        tmp_path,
        "polars",
        "import warnings\nwarnings.warn('Missing required CPU features.\\n\\nContinuing', RuntimeWarning)",
    )
    code = "from spectramind_kit.optional_packages import probe; print(probe('polars'))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert "Missing required CPU features" in done.stdout, done.stderr


def test_extras_are_those_of_the_package():
    """Guards against advice that installs nothing: the extra was renamed, or never held the package."""
    extras = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = extras["project"]["optional-dependencies"]
    assert set(EXTRAS) <= set(PROBES)
    for package, extra in EXTRAS.items():
        name = re.match(r"pip install ([\w-]+),", how_to_install(package))[1]
        assert any(re.match(rf"{name}\b", wanted) for wanted in extras[extra]), package


@pytest.mark.parametrize("plot", [plot_anchor, plot_panel])
def test_a_plot_without_matplotlib_says_what_to_install(monkeypatch, plot):
    """Guards against ModuleNotFoundError in the notebook of someone who has installed the kit alone."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    given = (None,) * (3 if plot is plot_anchor else 1)
    with pytest.raises(
        DataError, match=f"{plot.__name__} needs matplotlib.*pip install matplotlib.*diagnostics"
    ):
        plot(*given)


def test_what_works_is_not_refused():
    """Guards against a plot that asks for a package that is there."""
    require("tqdm", what="a bar")


def test_asked_once(monkeypatch):
    """Guards against a broken import that is tried anew for each of ten files of a thousand visits."""
    calls = []
    monkeypatch.setitem(PROBES, "polars", lambda: calls.append(1))
    assert why_not("polars") == why_not("polars") == "" and len(calls) == 1


def scatter(src, index, dim=-1, out=None, dim_size=None):
    """The signature that torch_scatter and pyg-lib share."""
    size = list(src.shape)
    size[dim] = dim_size
    return src.new_zeros(size).index_add_(dim, index, src)


@pytest.mark.parametrize("name", ["scatter_add", "scatter_sum"])
def test_pyg_lib_stands_in_for_torch_scatter(monkeypatch, name):
    """Guards against demanding a package that is not built for new versions of torch any more: pyg-lib has
    taken it over."""
    package, ops = types.ModuleType("pyg_lib"), types.ModuleType("pyg_lib.ops")
    setattr(ops, name, scatter)
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    monkeypatch.setitem(sys.modules, "pyg_lib", package)
    monkeypatch.setitem(sys.modules, "pyg_lib.ops", ops)
    assert scatter_add_function() is scatter
    setattr(ops, name, lambda *args, **settings: torch.zeros(1, 4, 1))
    with pytest.raises(RuntimeError, match="it computes"):
        scatter_add_function()


def test_of_a_broken_and_an_absent_scatter_the_broken_one_is_told(tmp_path, monkeypatch):
    """Guards against 'No module named pyg_lib' where torch_scatter is installed and broken."""
    stand_in(tmp_path, "torch_scatter", "raise OSError('undefined symbol: _ZN3c10')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch_scatter", raising=False)
    with pytest.raises(OSError, match="undefined symbol"):
        scatter_add_function()
    assert optional_packages.describe(ValueError("")) == "ValueError"


KERNELS = {  # what each does, by plain loops of torch: (module, its function, the right thing)
    "torch_scatter": ("torch_scatter", "scatter_add", scatter),
    "causal_conv1d": (
        "causal_conv1d",
        "causal_conv1d_fn",
        lambda x, weight: torch.nn.functional.conv1d(
            torch.nn.functional.pad(x, (weight.shape[1] - 1, 0)), weight[:, None], groups=len(weight)
        ),
    ),
    "mamba_ssm": (
        "mamba_ssm.ops.selective_scan_interface",
        "selective_scan_fn",
        lambda u, delta, a, b, c: (
            selective_scan_chunked(u.mT, delta.mT, a, b.mT, c.mT, torch.zeros(u.shape[1])).mT
        ),
    ),
}


@pytest.mark.parametrize("package", KERNELS)
def test_a_kernel_is_believed_for_its_numbers(monkeypatch, package):
    """Guards against a wheel that imports and computes rubbish, and a probe that expects wrong numbers."""
    module, name, right = KERNELS[package]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:depth]), types.ModuleType(parts[depth - 1]))
    monkeypatch.setattr(sys.modules[module], name, right, raising=False)
    assert probe(package) == ""
    monkeypatch.setattr(sys.modules[module], name, lambda *args, **settings: right(*args, **settings) + 1.0)
    assert "it computes" in probe(package)
