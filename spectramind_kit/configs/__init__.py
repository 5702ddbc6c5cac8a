"""The configuration: groups of YAML files, composed by Hydra where it works, else by the same rules without.

``load_config(profile="quick", overrides=["model/fusion=concat", "train.epochs=5"])``

An override is either a choice of a group (``model/fusion=concat``) or a value (``train.epochs=5``). A value
that is a mapping with ``_target_`` replaces its node whole, so that a part of your own needs no file in the
kit: ``model.fgs1_encoder={_target_: my_module.MyEncoder, width: 32}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectramind_kit.configs.check import check_config
from spectramind_kit.configs.composition import CONFIG_DIR, available_choices, available_groups, compose
from spectramind_kit.configs.overrides import set_value, split_overrides
from spectramind_kit.configs.target import to_plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["CONFIG_DIR", "available_choices", "available_groups", "config_digest", "load_config"]


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

    choices, values = split_overrides([f"profile={profile}", *overrides])
    config = compose(choices, use_hydra=use_hydra)
    for key, value in values:
        set_value(config, key, value)
    check_config(to_plain(config), touched=[*choices, *(key for key, _ in values)])
    OmegaConf.set_readonly(config, True)
    return config


def config_digest(*nodes: Any) -> str:
    """A short digest of the given config nodes or plain values: what names files that they shape."""
    import hashlib
    import json

    from omegaconf import OmegaConf

    plain = [OmegaConf.to_container(n, resolve=True) if OmegaConf.is_config(n) else n for n in nodes]
    text = json.dumps(plain, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
