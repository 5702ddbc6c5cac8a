"""Weights of the direct prediction that were trained on simulated planets, and the card that belongs to them.

They come with the kit (``weights/direct.pt`` and ``direct.json``); ``scripts/pretrain`` makes others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spectramind_kit.configs.target import to_plain
from spectramind_kit.errors import DataError
from spectramind_kit.fingerprint import fingerprint
from spectramind_kit.models.build import PARTS, build_model
from spectramind_kit.run_folder.json_file import read_json, write_json
from spectramind_kit.runtime import say
from spectramind_kit.training.checkpoint import load_checkpoint, save_checkpoint
from spectramind_kit.training.normaliser import Normaliser

SHIPPED = Path(__file__).resolve().parents[1] / "weights" / "direct.pt"
DIRECT_HEAD = "spectramind_kit.models.direct_head.DirectHead"
# Raise when `direct_row` or a part of the model gives other numbers for the same light curve and weights.
RECIPE = 1
_SAME_WAVELENGTH = 2e-3  # relative, a third of a bin
# what is done with a prediction, how it is trained, and on which path it is computed
_NOT_OF_THE_WEIGHTS = ("combine", "dropout", "scan_backend", "chunk_size", "graph_backend")


@dataclass(frozen=True)
class Pretrained:
    """What a training of the direct prediction begins with."""

    state: dict[str, torch.Tensor]
    normaliser: Normaliser
    card: Mapping[str, Any]  # config, data, score, hours
    fingerprint: str

    def knows(self, wavelength_um: np.ndarray) -> bool:
        """Whether these (283,) are the wavelengths that it was trained on, in the same order."""
        return np.allclose(wavelength_um, self.card["wavelength_um"], rtol=_SAME_WAVELENGTH)

    def model(self) -> nn.Module:
        """The network with these weights, on the CPU."""
        model = build_model(self.card["config"], **self.normaliser.features)
        model.load_state_dict(self.state)
        return model

    def parts_for(self, model_config: Mapping[str, Any]) -> list[str]:
        """The parts of a ``model`` node that compute with these weights what they were trained to."""
        own, wanted = self.card["config"], network_config(model_config)
        return [part for part in PARTS if wanted[part] == own.get(part)]

    def give_to(self, model: nn.Module, parts: Iterable[str] = tuple(PARTS)) -> list[str]:
        """Put these weights into those ``parts`` of another ``model`` that they fit.

        Returns the names of the others (an encoder of one's own, another fusion): these keep the weights that
        they were made with.
        """
        left, parts = [], set(parts)
        for name, part in model.named_children():
            known = {key: value for key, value in self.state.items() if key.startswith(f"{name}.")}
            own = {key.removeprefix(f"{name}."): value for key, value in known.items()}
            if name in parts and _shapes(own) == _shapes(part.state_dict()):
                part.load_state_dict(own)
            else:
                left.append(name)
        return left


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def is_direct(model_config: Mapping[str, Any]) -> bool:
    """Whether a ``model`` node reads light curves, and not what the anchor leaves of them."""
    decoder = model_config.get("decoder") or {}
    return bool(model_config.get("use_network", True)) and decoder.get("_target_") == DIRECT_HEAD


def network_config(model_config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a ``model`` node decides on names and shapes of the weights, and on what they compute."""
    plain = to_plain(model_config)
    return {
        part: {name: value for name, value in plain[part].items() if name not in _NOT_OF_THE_WEIGHTS}
        for part in PARTS
    }


def save_pretrained(
    path: Path,
    state: Mapping[str, torch.Tensor],
    *,
    normaliser: Normaliser,
    wavelength_um: np.ndarray,
    card: Mapping[str, Any],
) -> None:
    """Write weights and, beside them, their card."""
    known = {"normaliser": normaliser.to_dict(), "wavelength_um": np.asarray(wavelength_um, float).tolist()}
    card = {"recipe": RECIPE, **card, **known}
    digest = _digest(card)
    weights = {name: value.detach().cpu() for name, value in state.items()}
    save_checkpoint(path, {"model": weights}, digest=digest)
    write_json(path.with_suffix(".json"), card)


def _digest(card: Mapping[str, Any]) -> str:
    return fingerprint(card["config"], card["normaliser"], str(RECIPE))


def load_pretrained(path: Path = SHIPPED) -> Pretrained:
    """Read what `save_pretrained` wrote.

    Raises DataError for what is missing, damaged or of another recipe.
    """
    if not path.is_file():
        fix = "install the kit again, whole; train.start=scratch does without"
        raise DataError("pre-trained weights are missing", where=str(path), fix=fix)
    card = read_json(path.with_suffix(".json"))
    missing = [name for name in ("config", "normaliser", "wavelength_um") if name not in card]
    if missing or card.get("recipe") != RECIPE:
        gaps = [f"recipe {card.get('recipe')}", *(f"no {name}" for name in missing)]
        found = ", ".join(gaps) if card else "no card"
        fix = "scripts/pretrain makes weights for this version; train.start=scratch does without"
        raise DataError(
            "pre-trained weights cannot be used",
            where=str(path.with_suffix(".json")),
            expected=f"a card of recipe {RECIPE}",
            found=found,
            fix=fix,
        )
    digest = _digest(card)
    state = load_checkpoint(path, digest=digest)["model"]
    return Pretrained(state, Normaliser.from_dict(card["normaliser"]), card, digest)


def find_pretrained(model_config: Mapping[str, Any], start: str) -> Pretrained | None:
    """What ``train.start`` names for a ``model`` node; None for a training from scratch.

    ``auto`` takes the weights of the kit for the parts that they fit (`Pretrained.parts_for`), and says which
    they do not. Raises DataError where a file that was named does not fit the model.
    """
    if start == "scratch" or not is_direct(model_config):
        return None
    found = load_pretrained(SHIPPED if start == "auto" else Path(start))
    if found.card["config"] == network_config(model_config):
        return found
    if start == "auto":
        known = found.parts_for(model_config)
        others = ", ".join(part for part in PARTS if part not in known)
        what = f"begin all of the network but {others}" if known else "are of another model"
        say(f"the weights of the kit {what}{'' if known else ': this one is trained from scratch'}")
        return found if known else None
    raise DataError(
        "pre-trained weights are of another model",
        where=start,
        expected="the parts and sizes of this configuration",
        found="others, see its card",
        fix="choose the same model, or train.start=scratch",
    )
