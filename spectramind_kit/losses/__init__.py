"""Losses: the likelihood that is scored, physical priors, and their weighted sum."""

from __future__ import annotations

from spectramind_kit.lazy import lazy_names

_PUBLIC = {
    "CompositeLoss": "composite",
    "LossTerms": "composite",
    "gaussian_loss": "gll",
    "official_score": "gll",
}
__all__ = list(_PUBLIC)
__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
