"""Losses: the likelihood that is scored, physical priors, and their weighted sum."""

from __future__ import annotations

from importlib import import_module

_PUBLIC = {
    "CompositeLoss": "spectramind_kit.losses.composite",
    "LossTerms": "spectramind_kit.losses.composite",
    "gaussian_loss": "spectramind_kit.losses.gll",
    "official_score": "spectramind_kit.losses.gll",
}
__all__ = list(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'spectramind_kit.losses' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
