"""A model from its config: every part through ``_target_``, every key checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from spectramind_kit.errors import ConfigError, nearest
from spectramind_kit.models.batch import FEATURES_OF_A_BIN, FEATURES_OF_A_STAR

PARTS = ("fgs1_encoder", "airs_encoder", "fusion", "decoder")
_OTHER_KEYS = ("size", "bin_features", "star_features", "use_network")
_KIT = "spectramind_kit."
# the kit's own classes per part: the keys of their configs may be left over when a user's class takes the
# place
_OWN_CLASSES = {
    "fgs1_encoder": (
        "spectramind_kit.models.fgs1_mamba.Fgs1Mamba",
        "spectramind_kit.models.fgs1_conv.Fgs1Conv",
    ),
    "airs_encoder": ("spectramind_kit.models.airs_gnn.AirsGnn",),
    "fusion": ("spectramind_kit.models.fusion_xattn.CrossAttentionFusion",),
    "decoder": ("spectramind_kit.models.decoder_head.HeteroscedasticHead",),
}


def locate(target: str) -> Any:
    """The class or function named by ``package.module.Name``; a class defined in a notebook is
    ``__main__.Name``."""
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
        raise ConfigError(
            "no such name in the module of a _target_",
            where=module_name,
            found=name,
            fix=nearest(name, [n for n in vars(module) if not n.startswith("_")]),
        )
    return getattr(module, name)


def _keywords(target: Any) -> tuple[set[str], bool]:
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
    names, takes_any = _keywords(target)
    settings = {str(key): value for key, value in node.items() if key != "_target_"}
    own = str(node["_target_"]).startswith(_KIT)
    unknown = [] if takes_any else [key for key in settings if key not in names]
    if not own:
        unused = [key for key in unknown if key in spare]
        if unused:
            from spectramind_kit.runtime import say_once

            say_once(f"{where}: {node['_target_']} does not take {', '.join(unused)}; left out")
        settings = {key: value for key, value in settings.items() if key not in unused}
        unknown = [key for key in unknown if key not in spare]
    if unknown:
        raise ConfigError(
            "unknown key",
            where=f"{where} ({node['_target_']})",
            found=unknown[0],
            fix=nearest(unknown[0], names),
        )
    for key, value in (given or {}).items():
        if key in names and key not in settings:
            settings[key] = value
    try:
        return target(**settings)
    except TypeError as error:
        raise ConfigError(
            "a part could not be built",
            where=f"{where} ({node['_target_']})",
            found=str(error),
            expected="keys " + ", ".join(sorted(names)),
        ) from error


def build_model(
    config: Mapping[str, Any], *, bin_features: int | None = None, star_features: int | None = None
):
    """`SpectraMind` from the ``model`` node of the config (or a whole config that has one).

    ``bin_features`` F and ``star_features`` S are the widths of ``bins`` and ``star`` in the batch; they may
    also stand in the config. Raises `ConfigError` for unknown parts, keys and targets.
    """
    from spectramind_kit.models.spectramind import SpectraMind

    config = to_plain(config)
    if "model" in config and "decoder" not in config:
        config = config["model"]
    for key in config:
        if key not in (*PARTS, *_OTHER_KEYS):
            raise ConfigError(
                "unknown key", where="model", found=str(key), fix=nearest(str(key), [*PARTS, *_OTHER_KEYS])
            )
    for part in PARTS:
        if part not in config:
            raise ConfigError(
                "a part of the model is missing from the config",
                where=f"model.{part}",
                found="keys " + ", ".join(config),
            )
    given = {
        "bin_features": bin_features or config.get("bin_features") or FEATURES_OF_A_BIN,
        "star_features": star_features or config.get("star_features") or FEATURES_OF_A_STAR,
        **({"width": config["size"]["width"]} if config.get("size") else {}),
    }
    return SpectraMind(
        **{
            part: instantiate(
                config[part],
                where=f"model.{part}",
                given=given,
                spare=frozenset().union(*(_keywords(locate(name))[0] for name in _OWN_CLASSES[part])),
            )
            for part in PARTS
        }
    )


def check_buildable(config: Any) -> None:
    """Build model and loss once, where all their parts are the kit's: sizes that make no model end before
    anything runs.

    A part of one's own may be defined later in its notebook: it is left to the stage that needs it. Raises
    `ConfigError`.
    """
    config = to_plain(config)
    nodes = [*(config["model"].get(part) or {} for part in PARTS), config["loss"]]
    if not config["model"].get("use_network", True) or not all(
        str(node.get("_target_", "")).startswith(_KIT) for node in nodes
    ):
        return
    try:
        build_model(config["model"])
        instantiate(config["loss"], where="loss")
    except ConfigError:
        raise
    except Exception as error:  # torch's own words about shapes
        raise ConfigError(
            "the model cannot be built",
            where="model, loss",
            found=f"{type(error).__name__}: {error}",
            fix="correct the sizes that were overridden",
        ) from error


def to_plain(config: Any) -> dict[str, Any]:
    """A config as plain dicts, its interpolations resolved, whether it came from OmegaConf or is one
    already."""
    if isinstance(config, dict):
        return config
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            "the config cannot be resolved",
            where="model",
            found=str(error).splitlines()[0],
            fix="set the value that is missing, or correct the ${...} reference",
        ) from error
