"""Types and ranges of a composed configuration, checked against the classes that will take it, before
anything runs.

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

from spectramind_kit.configs.target import is_own, locate
from spectramind_kit.errors import ConfigError, nearest

SETTINGS = {
    "data": "spectramind_kit.detector.settings.DetectorSettings",
    "anchor": "spectramind_kit.transit.settings.AnchorSettings",
    "train": "spectramind_kit.training.settings.TrainSettings",
    "simulate": "spectramind_kit.simulator.settings.SimulationSize",
}
_PARTS = ("model", "loss")


def check_config(config: Mapping[str, Any], *, touched: Sequence[str] = ()) -> None:
    """Raise ConfigError for the first setting of the wrong type or out of range.

    Parameters
    ----------
    config : the whole configuration as plain dicts, interpolations resolved.
    touched : keys and groups that overrides have set.
    """
    for group, target in SETTINGS.items():
        node = dict(config.get(group) or {})
        own = str(node.pop("_target_", target))
        if is_own(own):
            kind = locate(target)
            check_types(node, kind, where=group)
            try:
                kind(
                    **{key: tuple(value) if isinstance(value, list) else value for key, value in node.items()}
                )
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
    """Every key of ``node`` is one that ``target`` (a dataclass or a callable) takes, with a value of the
    annotated type."""
    hints = typing.get_type_hints(
        target if dataclasses.is_dataclass(target) or not inspect.isclass(target) else target.__init__
    )
    parameters = inspect.signature(target).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key, value in node.items():
        if key not in parameters:
            if open_ended:
                continue
            raise ConfigError(
                "unknown setting", where=where, found=str(key), fix=nearest(str(key), parameters)
            )
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
    if origin is typing.Literal:
        return "" if value in inner else "one of " + ", ".join(map(str, inner))
    if hint is type(None):
        return "" if value is None else "nothing (null)"
    if hint is bool:
        return "" if isinstance(value, bool) else "true or false"
    if hint is int:
        return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if hint is float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return "" if good else "a finite number"
    if hint is str:
        return "" if isinstance(value, str) else "a text (in quotes where it looks like a number)"
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return f"a list such as {_example(hint)}"
        kinds = [inner[0]] * len(value) if inner[-1:] == (Ellipsis,) else list(inner)
        wrong = len(kinds) != len(value) or any(misfit(v, kind) for v, kind in zip(value, kinds))
        return f"a list such as {_example(hint)}" if wrong else ""
    if origin in (dict, typing.get_origin(Mapping[str, Any])):
        good = isinstance(value, Mapping) and not any(misfit(v, inner[1]) for v in value.values())
        return "" if good else "a mapping of numbers"
    return ""  # annotations that say more than a file can: the class itself checks those


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
        return (
            "["
            + ", ".join(
                {int: number, float: f"0.{number}"}.get(kind, "…")
                for kind, number in zip(kinds, ("8", "24", "3", "4"))
            )
            + "]"
        )
    return {int: "10", float: "0.1", bool: "true", str: "auto"}.get(hint, "…")
