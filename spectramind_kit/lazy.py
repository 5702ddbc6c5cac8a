"""Public names that load on first use (PEP 562), so that importing a package costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for a package.

    ``modules``: public name → the module that defines it, relative to the package, or absolute for a name of
    another room. A module must not be called like a name that it defines: once imported, it would hide it.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module = modules[name]
        inside = not module.startswith("spectramind_kit.")
        return getattr(import_module(f"{package}.{module}" if inside else module), name)

    return load, lambda: sorted(modules)
