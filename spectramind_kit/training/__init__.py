"""Learning from the train planets: measurements, anchors, folds. Import the modules directly."""

from __future__ import annotations
