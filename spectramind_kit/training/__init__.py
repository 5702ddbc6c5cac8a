"""Learning from the train planets: the batch contract, folds, the loop and its log. Import the modules
directly."""

from __future__ import annotations
