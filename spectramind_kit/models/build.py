"""A model from its config: every part through ``_target_``, every key checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spectramind_kit.configs.target import instantiate, is_own, keywords, locate, to_plain
from spectramind_kit.errors import ConfigError, check_choice
from spectramind_kit.models.batch import FEATURES_OF_A_BIN, FEATURES_OF_A_STAR

# The kit's own classes per part: keys of their configs may be left over when a user's class takes the place.
PARTS = {
    "fgs1_encoder": ("fgs1_mamba.Fgs1Mamba", "fgs1_conv.Fgs1Conv"),
    "airs_encoder": ("airs_gnn.AirsGnn",),
    "fusion": ("fusion_xattn.CrossAttentionFusion",),
    "decoder": ("decoder_head.HeteroscedasticHead", "direct_head.DirectHead"),
}
_KEYS = (*PARTS, "size", "bin_features", "star_features", "use_network")


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
    for key in map(str, config):
        check_choice(key, _KEYS, what="key", where="model")
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
    }
    if config.get("size"):
        given["width"] = config["size"]["width"]
    return SpectraMind(
        **{
            part: instantiate(config[part], where=f"model.{part}", given=given, spare=_keys_of(own))
            for part, own in PARTS.items()
        }
    )


def _keys_of(classes: tuple[str, ...]) -> frozenset[str]:
    return frozenset().union(*(keywords(locate(f"spectramind_kit.models.{name}"))[0] for name in classes))


def check_buildable(config: Any) -> None:
    """Build model and loss once, where all their parts are the kit's: wrong sizes end before anything runs.

    A part of one's own may be defined later in its notebook: it is left to the stage that needs it. Raises
    `ConfigError`.
    """
    config = to_plain(config)
    nodes = [*(config["model"].get(part) or {} for part in PARTS), config["loss"]]
    own = all(is_own(node.get("_target_", "")) for node in nodes)
    if not own or not config["model"].get("use_network", True):
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
