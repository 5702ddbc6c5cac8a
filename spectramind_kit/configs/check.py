"""Types and ranges of a composed configuration, checked against the classes that will take it.

A node's class is named by its ``_target_``, or below for the groups that have none. Settings classes are
built, so that their own checks of ranges speak; models and losses, which need torch, are checked by the
signature of their class alone, and only where an override touched them.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from spectramind_kit.configs.target import is_own, keywords, locate
from spectramind_kit.errors import ConfigError, check_choice

SETTINGS = {
    "data": "spectramind_kit.detector.settings.DetectorSettings",
    "anchor": "spectramind_kit.transit.settings.AnchorSettings",
    "train": "spectramind_kit.training.settings.TrainSettings",
    "simulate": "spectramind_kit.simulator.worlds.SimulationSize",
}
_PARTS = ("model", "loss")


_PLAIN = {
    type(None): (lambda value: value is None, "nothing (null)"),
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    float: (lambda value: _is_number(value) and math.isfinite(value), "a finite number"),
    str: (lambda value: isinstance(value, str), "a text (in quotes where it looks like a number)"),
}


def check_config(config: Mapping[str, Any], *, touched: Sequence[str] = ()) -> None:
    """Raise ConfigError for the first setting of the wrong type or out of range.

    Parameters
    ----------
    config : the whole configuration as plain dicts, interpolations resolved.
    touched : keys and groups that overrides have set.
    """
    for group, target in SETTINGS.items():
        node = dict(config.get(group) or {})
        if is_own(node.pop("_target_", target)):
            kind = locate(target)
            check_types(node, kind, where=group)
            node = {key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
            try:
                kind(**node)
            except TypeError as error:  # a key that is missing
                raise ConfigError(
                    "settings are not complete",
                    where=group,
                    found=str(error),
                    fix=f"set single keys, e.g. {group}.key=value",
                ) from error
    for group in _PARTS:
        if any(key.replace("/", ".").split(".")[0] == group for key in touched):
            _check_parts(config.get(group) or {}, where=group)


def check_types(node: Mapping[str, Any], target: Any, *, where: str) -> None:
    """Every key of ``node`` is one that ``target`` takes, with a value of the annotated type."""
    flat_class = inspect.isclass(target) and not dataclasses.is_dataclass(target)
    hints = typing.get_type_hints(target.__init__ if flat_class else target)
    names, takes_any = keywords(target)
    for key, value in node.items():
        if not takes_any:
            check_choice(key, names, what="setting", where=where)
        problem = misfit(value, hints.get(key, Any))
        if problem:
            raise ConfigError(
                "a setting of the wrong type",
                where=f"{where}.{key}",
                found=repr(value),
                expected=problem,
                fix=f"write e.g. {where}.{key}={_example(hints[key])}",
            )


def misfit(value: Any, hint: Any) -> str:
    """What was expected in place of ``value`` under a type annotation, or nothing where it fits."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [misfit(value, part) for part in inner]
        return "" if "" in found else " or ".join(found)
    if hint in _PLAIN:
        fits, expected = _PLAIN[hint]
        return "" if fits(value) else expected
    if origin is tuple:
        values = value if isinstance(value, (list, tuple)) else ()
        kinds = inner[:1] * len(values) if inner[-1:] == (Ellipsis,) else inner
        alike = values is value and len(kinds) == len(values)
        good = alike and not any(misfit(v, kind) for v, kind in zip(values, kinds))
        return "" if good else f"a list such as {_example(hint)}"
    if origin in (dict, typing.get_origin(Mapping[str, Any])):
        good = isinstance(value, Mapping) and not any(misfit(v, inner[1]) for v in value.values())
        return "" if good else "a mapping of numbers"
    return ""  # annotations that say more than a file can: the class itself checks those


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_parts(node: Any, *, where: str) -> None:
    if not isinstance(node, Mapping):
        return
    settings = {key: value for key, value in node.items() if key != "_target_"}
    target = str(node.get("_target_", ""))
    if is_own(target):
        check_types(settings, locate(target), where=where)
        return
    if not target:  # a part of one's own is its author's
        for key, value in settings.items():
            _check_parts(value, where=f"{where}.{key}")


def _example(hint: Any) -> str:
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        kinds = inner[:1] * 2 if inner[-1:] == (Ellipsis,) else inner
        numbers = [{int: n, float: f"0.{n}"}.get(kind, "…") for kind, n in zip(kinds, ("8", "24", "3", "4"))]
        return f"[{', '.join(numbers)}]"
    return {int: "10", float: "0.1", bool: "true", str: "auto"}.get(hint, "…")
