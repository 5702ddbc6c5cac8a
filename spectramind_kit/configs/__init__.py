"""The configuration: groups of YAML files, composed by Hydra where it works, else by the same rules in plain
OmegaConf.

``load_config(profile="quick", overrides=["model/fusion=concat", "train.epochs=5"])``

An override is either a choice of a group (``model/fusion=concat``) or a value (``train.epochs=5``). A value
that is a mapping with ``_target_`` replaces its node whole, so that a part of your own needs no file in the
kit: ``model.fgs1_encoder={_target_: my_module.MyEncoder, width: 32}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectramind_kit.configs.check import check_config, misfit
from spectramind_kit.configs.yaml_value import read_yaml_value
from spectramind_kit.errors import ConfigError, nearest
from spectramind_kit.optional_packages import NOT_INSTALLED, describe, why_not
from spectramind_kit.runtime import say_once

if TYPE_CHECKING:
    from omegaconf import DictConfig

CONFIG_DIR = Path(__file__).parent


def available_choices(group: str) -> list[str]:
    """The YAML files of a group, without their ending."""
    return sorted(p.stem for p in (CONFIG_DIR / group).glob("*.yaml"))


def available_groups() -> list[str]:
    """Every folder that holds choices: ``data``, ``model/fusion``, …"""
    return sorted({p.parent.relative_to(CONFIG_DIR).as_posix() for p in CONFIG_DIR.rglob("*.yaml")} - {"."})


def load_config(
    *, profile: str = "quick", overrides: Sequence[str] = (), use_hydra: bool | None = None
) -> DictConfig:
    """Compose the configuration.

    Parameters
    ----------
    profile : str
        ``smoke``, ``quick`` or ``full``: sizes and epochs.
    overrides : sequence of str
        ``group=choice`` or ``key.path=value``; later ones win.
    use_hydra : bool, optional
        True demands hydra-core, False does without; by default it is used where it works. The result is the
        same, and a Hydra application of the caller's own is left as it was.

    Raises
    ------
    ConfigError
        An unknown profile, group, choice or key; the message names the nearest valid one. A value of the
        wrong type, or out of range (`spectramind_kit.configs.check`).
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    choices, values = _split_overrides([f"profile={profile}", *overrides])
    config = _composed(choices, use_hydra)
    for key, value in values:
        _set_value(config, key, value)
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            "the configuration cannot be resolved",
            found=str(error).splitlines()[0],
            fix="correct the ${...} reference of an override",
        ) from error
    check_config(plain, touched=[*choices, *(key for key, _ in values)])
    OmegaConf.set_readonly(config, True)
    return config


def config_digest(*nodes: Any, length: int = 12) -> str:
    """A short digest of the given config nodes or plain values: what names files that they shape."""
    import hashlib
    import json

    from omegaconf import OmegaConf

    plain = [OmegaConf.to_container(n, resolve=True) if OmegaConf.is_config(n) else n for n in nodes]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


# ---------------------------------------------------------------- composing


def _composed(choices: dict[str, str], use_hydra: bool | None) -> DictConfig:
    why = "" if use_hydra is False else why_not("hydra")
    if use_hydra is not False and not why:
        try:
            return _compose_with_hydra(choices)
        except Exception as error:  # our files are checked: it is the package, or its antlr
            why = describe(error)
    if use_hydra:
        what = "is not installed" if why == NOT_INSTALLED else "was asked for and does not work"
        raise ConfigError(f"hydra-core {what}", found=why, fix="pip install hydra-core, or use_hydra=None")
    if why not in ("", NOT_INSTALLED):
        say_once(
            f"hydra-core is installed and does not work ({why}): the configuration is composed without it, "
            "with the same result"
        )
    return _compose_plain(choices)


def _compose_with_hydra(choices: dict[str, str]) -> DictConfig:
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with _own_hydra(), initialize_config_dir(config_dir=str(CONFIG_DIR), version_base="1.3"):
        config = compose(
            config_name="config", overrides=[f"{group}={choice}" for group, choice in choices.items()]
        )
    OmegaConf.set_struct(config, False)
    return config


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra is one global per process, and so is the version whose behaviour it keeps: set the caller's
    aside, and put it back."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import VersionBase

    hydra, version = GlobalHydra.instance().hydra, VersionBase.instance().getbase()
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = hydra
        VersionBase.instance().version_base = version


def _compose_plain(choices: dict[str, str]) -> DictConfig:
    """Hydra's composition for what our files use: groups in a defaults list, ``override /group: choice`` in a
    profile, ``# @package _global_``, command-line choices over both."""
    from omegaconf import OmegaConf

    main = OmegaConf.load(CONFIG_DIR / "config.yaml")
    order = main.pop("defaults")
    chosen = {group: choice for entry in order if entry != "_self_" for group, choice in entry.items()}
    profile = OmegaConf.load(CONFIG_DIR / "profile" / f"{choices.get('profile', chosen['profile'])}.yaml")
    for entry in profile.pop("defaults", []):
        for key, choice in entry.items():
            if key.startswith("override /"):
                chosen[key.removeprefix("override /")] = choice
    chosen.update(choices)
    config = OmegaConf.create({})
    for entry in order:
        if entry == "_self_":
            config = OmegaConf.merge(config, main)
            continue
        (group,) = entry
        if group == "profile":
            config = OmegaConf.merge(config, profile)
            continue
        node = OmegaConf.load(CONFIG_DIR / group / f"{chosen[group]}.yaml")
        for part in reversed(group.split("/")):
            node = OmegaConf.create({part: node})
        config = OmegaConf.merge(config, node)
    return config


# ---------------------------------------------------------------- overrides


def _split_overrides(overrides: Sequence[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
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
            if value not in available_choices(key):
                raise ConfigError(
                    f"unknown choice for {key}", found=value, fix=nearest(value, available_choices(key))
                )
            choices[key] = value
        elif "/" in key:
            raise ConfigError("unknown config group", found=key, fix=nearest(key, groups))
        else:
            values.append((key, value))
    return choices, values


def _set_value(config: DictConfig, key: str, text: str) -> None:
    from omegaconf import OmegaConf

    try:
        value = OmegaConf.create({"value": read_yaml_value(text)})["value"]
    # a YAML parser's own message is about columns of a line that the user never saw
    except Exception as error:
        raise ConfigError(
            "the value of an override cannot be read", where=key, found=text, fix="quote it as in YAML"
        ) from error
    known = _key_paths(config)
    if key not in known:
        raise ConfigError("unknown override", found=key, fix=nearest(key, known))
    old = OmegaConf.select(config, key)
    if OmegaConf.is_dict(old) and not OmegaConf.is_dict(value):
        raise ConfigError(
            f"{key} is a group of settings, not a value",
            found=text,
            fix=f"set one of: {', '.join(f'{key}.{k}' for k in old)}",
        )
    if OmegaConf.is_dict(value) and "_target_" not in value and OmegaConf.is_dict(old):
        unknown = [k for k in value if k not in old]
        if unknown:
            raise ConfigError(
                "unknown override", found=f"{key}.{unknown[0]}", fix=nearest(unknown[0], map(str, old))
            )
        _check_alike(old, value, key)
        OmegaConf.update(config, key, value, merge=True)
        return
    if not OmegaConf.is_config(old):
        _check_alike(old, value, key)
    OmegaConf.update(config, key, value, merge=False)


def _check_alike(old: Any, value: Any, key: str) -> None:
    """A value is of the kind that it replaces: a text in place of a number is found out here, not after
    hours."""
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
        path = f"{prefix}{key}"
        paths.append(path)
        node = config._get_node(key)  # without resolving interpolations
        if OmegaConf.is_dict(node) and not node._is_none():
            paths += _key_paths(node, f"{path}.")
    return paths
