"""A bundle without a training: priors that no label has taught, and the network that comes with the kit."""

from __future__ import annotations

from pathlib import Path

from spectramind_kit.configs import load_config
from spectramind_kit.configs.target import to_plain
from spectramind_kit.inference.bundle import Learned, save_bundle
from spectramind_kit.inference.flat_depth import FlatBaseline
from spectramind_kit.inference.uncertainty import SensorScale, SigmaScale
from spectramind_kit.metric import Metric
from spectramind_kit.simulator.wavelengths import bin_wavelengths
from spectramind_kit.training.folds import Network
from spectramind_kit.training.loop import FoldResult
from spectramind_kit.training.pretrained import load_pretrained
from spectramind_kit.transit import default_spectral_prior, identity_calibration


def write_shipped_bundle(folder: Path) -> Path:
    """The folder; anchor and network are stacked, both as they are."""
    config, start = load_config(use_hydra=False), load_pretrained()
    believed = SensorScale(trust=1.0)
    learned = Learned(
        config={name: to_plain(config[name]) for name in ("data", "anchor", "model")},
        metric=Metric(),
        prior=default_spectral_prior(bin_wavelengths()),
        calibration=identity_calibration(),
        anchor_scale=SigmaScale(),
        network_scale=SigmaScale(fgs1=believed, airs=believed),
        flat=FlatBaseline(1.0, 1e-3),
        time_flip=True,
    )
    folds = (FoldResult(0, start.state, 0.0, 0.0, 0, 0),)
    save_bundle(folder, learned, network=Network(folds, start.normaliser, [], {}, start.fingerprint))
    return folder
