"""From trained weights and light curves to a prediction per planet."""

from __future__ import annotations
