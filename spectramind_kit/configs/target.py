"""What a ``_target_`` names, and how it is called: a part of one's own is as good as the kit's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from spectramind_kit.errors import ConfigError, check_choice, nearest
from spectramind_kit.runtime import say_once


def is_own(target: Any) -> bool:
    """Whether a ``_target_`` is the kit's own class."""
    return str(target).startswith("spectramind_kit.")


def locate(target: str) -> Any:
    """The class or function named by ``package.module.Name``; a notebook's class is ``__main__.Name``."""
    module_name, _, name = str(target).rpartition(".")
    if not module_name:
        raise ConfigError("_target_ must be package.module.Name", found=repr(target))
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            "the module of a _target_ cannot be imported",
            where=str(target),
            found=str(error),
            fix="check the spelling, and that the module is on sys.path",
        ) from error
    if not hasattr(module, name):
        fix = nearest(name, [n for n in vars(module) if not n.startswith("_")])
        if module_name == "__main__":  # of another notebook, as a rule
            fix = f"define it in a cell above, or in a module that can be imported: my_module.{name}"
        raise ConfigError("no such name in the module of a _target_", where=module_name, found=name, fix=fix)
    return getattr(module, name)


def keywords(target: Any) -> tuple[set[str], bool]:
    """Names that a callable takes, and whether it takes any name."""
    parameters = inspect.signature(target).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names, any(p.kind is p.VAR_KEYWORD for p in parameters)


def instantiate(
    node: Mapping[str, Any],
    *,
    where: str,
    given: Mapping[str, Any] | None = None,
    spare: frozenset[str] = frozenset(),
) -> Any:
    """Call ``node['_target_']`` with the other keys of ``node``.

    ``given`` are values known only now; each is passed when the target takes it and the node does not set it.
    ``spare`` are keys that a target outside the kit may leave unused (said once). Any other key that the
    target does not take is a `ConfigError` that names the nearest one.
    """
    if "_target_" not in node:
        raise ConfigError(
            "a part of the model has no _target_",
            where=where,
            fix="name a class, e.g. _target_: spectramind_kit.models.fgs1_mamba.Fgs1Mamba",
        )
    target = locate(node["_target_"])
    names, takes_any = keywords(target)
    settings = {str(key): value for key, value in node.items() if key != "_target_"}
    unknown = [] if takes_any else [key for key in settings if key not in names]
    unused = [] if is_own(node["_target_"]) else [key for key in unknown if key in spare]
    if unused:
        say_once(f"{where}: {node['_target_']} does not take {', '.join(unused)}; left out")
    place = f"{where} ({node['_target_']})"
    for key in unknown:
        check_choice(key, {*names, *unused}, what="key", where=place)
    known_now = {key: value for key, value in (given or {}).items() if key in names}
    settings = {key: value for key, value in settings.items() if key not in unused}
    try:
        return target(**{**known_now, **settings})
    except TypeError as error:
        expected = "keys " + ", ".join(sorted(names))
        raise ConfigError(
            "a part could not be built", where=place, found=str(error), expected=expected
        ) from error


def to_plain(config: Any) -> dict[str, Any]:
    """A config as plain dicts, interpolations resolved; a dict is one already."""
    if isinstance(config, dict):
        return config
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            "the configuration cannot be resolved",
            found=str(error).splitlines()[0],
            fix="set the value that is missing, or correct the ${...} reference",
        ) from error
