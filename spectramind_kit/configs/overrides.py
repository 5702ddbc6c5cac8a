"""Overrides, ``group=choice`` or ``key.path=value``: each is checked against what it replaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectramind_kit.configs.check import misfit
from spectramind_kit.configs.composition import available_choices, available_groups
from spectramind_kit.configs.yaml_value import read_yaml_value
from spectramind_kit.errors import ConfigError, check_choice, nearest

if TYPE_CHECKING:
    from omegaconf import DictConfig


def split_overrides(overrides: Sequence[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Choices (group -> file) and values (key, text), in the order given."""
    groups = available_groups()
    choices: dict[str, str] = {}
    values: list[tuple[str, str]] = []
    for text in overrides:
        key, separator, value = str(text).partition("=")
        key, value = key.strip(), value.strip()
        if not separator or not key:
            raise ConfigError(
                "an override must read key=value",
                found=repr(text),
                expected="train.epochs=5 or model/fusion=concat",
            )
        if key in groups and not value.startswith("{"):
            check_choice(value, available_choices(key), what=f"choice for {key}")
            choices[key] = value
        elif "/" in key:
            raise ConfigError("unknown config group", found=key, fix=nearest(key, groups))
        else:
            values.append((key, value))
    return choices, values


def set_value(config: DictConfig, key: str, text: str) -> None:
    """Set ``key`` to the YAML ``text``; `ConfigError` where it is unknown or was of another kind."""
    from omegaconf import OmegaConf

    try:
        value = OmegaConf.create({"value": read_yaml_value(text)})["value"]
    # a YAML parser's own message is about columns of a line that the user never saw
    except Exception as error:
        raise ConfigError(
            "the value of an override cannot be read", where=key, found=text, fix="quote it as in YAML"
        ) from error
    check_choice(key, _key_paths(config), what="override")
    old = OmegaConf.select(config, key)
    if OmegaConf.is_dict(old) and not OmegaConf.is_dict(value):
        raise ConfigError(
            f"{key} is a group of settings, not a value",
            found=text,
            fix=f"set one of: {', '.join(f'{key}.{k}' for k in old)}",
        )
    changes_some = OmegaConf.is_dict(value) and "_target_" not in value and OmegaConf.is_dict(old)
    if changes_some:
        for name in value:
            check_choice(f"{key}.{name}", [f"{key}.{k}" for k in old], what="override")
    if changes_some or not OmegaConf.is_config(old):
        _check_alike(old, value, key)
    OmegaConf.update(config, key, value, merge=changes_some)


def _check_alike(old: Any, value: Any, key: str) -> None:
    """A value is of the kind that it replaces: a text for a number is found out here, not after hours."""
    from omegaconf import OmegaConf

    if OmegaConf.is_dict(value):
        for name in value:
            if OmegaConf.is_dict(old) and name in old and "_target_" not in value:
                _check_alike(old[name], value[name], f"{key}.{name}")
        return
    problem = misfit(value, type(old)) if isinstance(old, (bool, int, float, str)) else ""
    if problem:
        raise ConfigError(
            "a setting of the wrong type",
            where=key,
            found=repr(value),
            expected=problem,
            fix=f"write e.g. {key}={str(old).lower() if isinstance(old, bool) else old}",
        )


def _key_paths(config: DictConfig, prefix: str = "") -> list[str]:
    from omegaconf import OmegaConf

    paths = []
    for key in config:
        paths.append(f"{prefix}{key}")
        node = config._get_node(key)  # without resolving interpolations
        if OmegaConf.is_dict(node) and not node._is_none():
            paths += _key_paths(node, f"{prefix}{key}.")
    return paths
