"""Rows whose answer is known: the label is the anchor plus a correction that the inputs reveal."""

from __future__ import annotations

import numpy as np
import torch

from spectramind_kit.configs import load_config
from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.models.build import build_model
from spectramind_kit.runtime import Device
from spectramind_kit.training.settings import TrainSettings

CPU = Device("cpu", "cpu", "float32", "CPU")
STEPS = 40


def rows_and_labels(n=24, *, seed=0, signal=1.5):
    """Planets whose correction, in units of the anchor's error, is ``signal`` times the residual in
    transit."""
    rng = np.random.default_rng(seed)
    time = np.linspace(-2, 2, STEPS)
    shape = -np.clip((1.1 - np.abs(time)) / 0.2, 0, 1)
    rows, depth = [], {}
    for planet in range(n):
        push = rng.normal()
        anchor = np.full(283, rng.uniform(0.008, 0.02))
        err = np.full(283, 1e-4)
        star = {"Ts": rng.normal(5800, 300), "odd": np.nan if planet == 0 else 1.0}
        bins = np.zeros((283, 5))
        bins[:, 1] = push
        for visit in range(1 + (planet % 6 == 0)):
            rows.append(
                {
                    "planet_id": planet,
                    "visit": visit,
                    "fgs1": push * shape + rng.normal(0, 0.3, STEPS),
                    "white": push * shape,
                    "mask": np.full(STEPS, True),
                    "weight": np.full(STEPS, 1 / STEPS),
                    "airs": push * shape[:, None] + rng.normal(0, 0.3, (STEPS, 282)),
                    "transit_shape": shape,
                    "time": time,
                    "bins": bins,
                    "star": star,
                    "reference_depth": anchor,
                    "reference_err": err,
                    "wavelength_um": np.r_[0.7, np.linspace(1.95, 3.9, 282)],
                }
            )
        depth[planet] = anchor + 1e-4 * (signal * push + rng.normal(0, 0.2, 283))
    return rows, depth


def make_network():
    """A small untrained network for these rows, and its loss."""
    torch.manual_seed(0)
    parts = ["model/size=small", "model/decoder=anchored"]
    config = load_config(overrides=[*parts, "model.size.width=16", "model.size.airs_channels=4"])
    model = build_model(config.model, bin_features=5, star_features=2)
    return model, instantiate(to_plain(config.loss), where="loss")


def quick_settings(**changes) -> TrainSettings:
    """Six short epochs."""
    quick = {"epochs": 6, "warm_start_epochs": 1, "learning_rate": 5e-3, "ema_decay": 0.8, "batch_size": 8}
    return TrainSettings(**{**to_plain(load_config(profile="quick").train), **quick, **changes})
