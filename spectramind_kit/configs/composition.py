"""The groups of YAML files, and one configuration from a choice of each: by Hydra, or without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spectramind_kit.errors import ConfigError
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


def compose(choices: Mapping[str, str], *, use_hydra: bool | None) -> DictConfig:
    """The configuration with these choices (group -> file); ``use_hydra`` as of `load_config`."""
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


def _compose_with_hydra(choices: Mapping[str, str]) -> DictConfig:
    import hydra
    from omegaconf import OmegaConf

    overrides = [f"{group}={choice}" for group, choice in choices.items()]
    with _own_hydra(), hydra.initialize_config_dir(config_dir=str(CONFIG_DIR), version_base="1.3"):
        config = hydra.compose(config_name="config", overrides=overrides)
    OmegaConf.set_struct(config, False)
    return config


@contextmanager
def _own_hydra() -> Iterator[None]:
    """Hydra and the version whose behaviour it keeps are globals: set the caller's aside, and put it back."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import VersionBase

    hydra, version = GlobalHydra.instance().hydra, VersionBase.instance().getbase()
    GlobalHydra.instance().hydra = None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = hydra
        VersionBase.instance().version_base = version


def _compose_plain(choices: Mapping[str, str]) -> DictConfig:
    """Hydra's composition for what our files use: groups and files of the same group in a defaults list,
    ``override /group: choice`` in a profile, ``# @package _global_``, command-line choices over both."""
    from omegaconf import OmegaConf

    main = OmegaConf.load(CONFIG_DIR / "config.yaml")
    order = [entry if entry == "_self_" else next(iter(entry.items())) for entry in main.pop("defaults")]
    chosen = dict(entry for entry in order if entry != "_self_")
    profile = OmegaConf.load(CONFIG_DIR / "profile" / f"{choices.get('profile', chosen['profile'])}.yaml")
    for entry in profile.pop("defaults", []):
        chosen |= {group.removeprefix("override /"): choice for group, choice in entry.items()}
    chosen |= choices
    config = OmegaConf.create({})
    for entry in order:
        if entry == "_self_":
            node = main
        elif entry[0] == "profile":
            node = profile
        else:
            node = _choice(entry[0], chosen[entry[0]])
            for part in reversed(entry[0].split("/")):
                node = {part: node}
        config = OmegaConf.merge(config, node)
    return config


def _choice(group: str, name: str) -> DictConfig:
    """A file of a group, over those of the same group that its defaults list names."""
    from omegaconf import OmegaConf

    node = OmegaConf.load(CONFIG_DIR / group / f"{name}.yaml")
    bases = [_choice(group, base) for base in node.pop("defaults", [])]
    return OmegaConf.merge(*bases, node)
