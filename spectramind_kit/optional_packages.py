"""Which optional packages work here: each is imported and does a small thing. Installed is not working.

A wheel for another processor, another torch or another Python may be installed and fail at the import
(ImportError, OSError, RuntimeError, AttributeError, pyo3's PanicException, which is no Exception), or only
when it is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module

from spectramind_kit.errors import DataError

NOT_INSTALLED = "not installed"
# The extra of pyproject.toml that brings a package of `PROBES`; and its name, where that is not the module's.
EXTRAS = {"matplotlib": "diagnostics", "umap": "diagnostics", "shap": "diagnostics", "papermill": "notebooks"}
_DISTRIBUTIONS = {"umap": "umap-learn"}


@cache
def why_not(package: str) -> str:
    """Empty where ``package`` (of `PROBES`) works, else the cause in one line. Tried once in a process."""
    return probe(package)


def probe(package: str, work: Callable[[], object] | None = None) -> str:
    """`why_not`, tried now; ``work`` in place of what `PROBES` asks of the package."""
    try:
        (work or PROBES[package])()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except ModuleNotFoundError as error:
        return NOT_INSTALLED if (error.name or package) == package else describe(error)
    except BaseException as error:
        return describe(error)
    return ""


def how_to_install(package: str) -> str:
    """In words, for one of `EXTRAS`."""
    name = _DISTRIBUTIONS.get(package, package)
    return f"pip install {name}, or all of the extra, in the checkout: pip install -e '.[{EXTRAS[package]}]'"


def require(package: str, *, what: str) -> None:
    """Raise DataError, with what to install, where ``package`` does not work here."""
    if why := probe(package):
        raise DataError(f"{what} needs {package}", found=why, fix=how_to_install(package))


def describe(error: BaseException) -> str:
    """``OSError: undefined symbol: …``: kind and first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def scatter_add_function() -> Callable:
    """``scatter_add(src, index, dim=…, dim_size=…)`` of torch_scatter, or of pyg-lib 0.7, which took it over.

    Raises the first one's error where neither is installed and gives the right sums.
    """
    failed: Exception | None = None
    for name in ("torch_scatter", "pyg_lib.ops"):
        try:
            module = import_module(name)
            function = module.scatter_add if hasattr(module, "scatter_add") else module.scatter_sum
            _check_scatter(function)
            return function
        except Exception as error:  # of a broken one and an absent one, the broken one is the news
            if failed is None or isinstance(failed, ModuleNotFoundError) > isinstance(
                error, ModuleNotFoundError
            ):
                failed = error
    assert failed is not None
    raise failed


def _check_scatter(function: Callable, *, device: str = "cpu") -> None:
    import torch

    values, index = torch.arange(6.0, device=device), torch.tensor([0, 1, 0, 1, 2, 2], device=device)
    found = function(values[None, :, None], index, dim=1, dim_size=4)
    _expect(found.flatten().tolist(), [2.0, 4.0, 9.0, 0.0])


def _expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise RuntimeError(f"it computes {found} where {wanted} is right")


def _polars() -> None:
    from io import BytesIO

    with warnings.catch_warnings():  # polars only warns of a processor on which it then crashes
        warnings.filterwarnings("error", message="Missing required CPU features", category=RuntimeWarning)
        import polars as pl
    file = BytesIO()
    pl.DataFrame({"column_0": [1, 65535]}).write_parquet(file)
    file.seek(0)
    _expect(pl.read_parquet(file)["column_0"].to_numpy().tolist(), [1, 65535])


def _pyarrow() -> None:
    from io import BytesIO

    import pyarrow as pa
    import pyarrow.parquet as pq

    file = BytesIO()
    pq.write_table(pa.table({"column_0": [1, 65535]}), file)
    file.seek(0)
    _expect(pq.read_table(file).column("column_0").to_pylist(), [1, 65535])


def _hydra() -> None:
    from hydra import compose, initialize_config_dir  # noqa: F401
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().is_initialized()


def _matplotlib() -> None:
    from io import BytesIO

    from matplotlib.figure import Figure

    Figure(figsize=(1, 1)).savefig(BytesIO(), format="png")


def _tqdm() -> None:
    from tqdm import tqdm

    _expect(list(tqdm([1], disable=True)), [1])


def _umap() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm's hint about notebook widgets
        from umap import UMAP  # noqa: F401


def _shap() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap  # noqa: F401


def _papermill() -> None:
    import papermill

    papermill.execute_notebook  # noqa: B018 - a half-removed package imports as an empty namespace


def _torch_scatter() -> None:
    from torch_scatter import scatter_add

    _check_scatter(scatter_add, device=_torch_device())


def _causal_conv1d() -> None:
    import torch
    from causal_conv1d import causal_conv1d_fn

    device = _torch_device()
    found = causal_conv1d_fn(torch.ones(1, 8, 5, device=device), torch.ones(8, 4, device=device))
    _expect(found[0, 0].tolist(), [1.0, 2.0, 3.0, 4.0, 4.0])


def _mamba_ssm() -> None:
    """A decay by a half per step; `models.scan` also compares the kernels with the kit's own."""
    import torch
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn

    device = _torch_device()
    u, delta = torch.ones(2, 1, 8, 3, device=device)
    a = -torch.log(torch.tensor(2.0, device=device)).expand(8, 1).contiguous()
    b, c = torch.ones(2, 1, 1, 3, device=device)
    found = selective_scan_fn(u, delta, a, b, c)
    _expect([round(value, 2) for value in found[0, 0].tolist()], [1.0, 1.5, 1.75])


def _torch_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


PROBES: dict[str, Callable[[], None]] = {
    "polars": _polars,
    "pyarrow": _pyarrow,
    "hydra": _hydra,
    "matplotlib": _matplotlib,
    "tqdm": _tqdm,
    "umap": _umap,
    "shap": _shap,
    "papermill": _papermill,
    "torch_scatter": _torch_scatter,
    "causal_conv1d": _causal_conv1d,
    "mamba_ssm": _mamba_ssm,
}
