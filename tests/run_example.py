"""A run's folder as the notebooks leave it, made up of known numbers: predictions with honest σ, a log, a
run.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WAVELENGTH_UM = np.r_[0.7, np.linspace(1.9518, 3.895, 282)]


def spectra(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 283) depths with smooth features of a few hundred ppm."""
    level = 0.0147 * np.exp(0.5 * rng.normal(size=(n, 1)))
    x = (WAVELENGTH_UM - 2.9) / 1.0
    shape = np.stack([np.sin(3 * x), np.cos(5 * x), x])
    return level + 1e-4 * rng.normal(size=(n, 3)) @ shape


def write_predictions(
    path: Path, *, n: int, first_id: int, rng: np.random.Generator, labels: bool = True, network: bool = True
) -> np.ndarray:
    """Predictions whose errors are Gaussian with the stated σ; returns the true depths."""
    depth = spectra(n, rng)
    content = {"planet_id": np.arange(first_id, first_id + n), "wavelength_um": WAVELENGTH_UM}
    for name, spread in (("anchor", 9e-5), ("network", 6e-5)):
        sigma = spread * np.exp(0.4 * rng.normal(size=(n, 1))) * np.ones(283)
        mean = depth + sigma * rng.normal(size=depth.shape)
        if name == "anchor":
            content |= {"anchor_depth": mean, "anchor_err": sigma, "depth_mean": mean, "depth_sigma": sigma}
        elif network:
            content |= {
                "network_depth_mean": mean,
                "network_depth_sigma": sigma,
                "depth_mean": mean,
                "depth_sigma": sigma,
            }
    if network:
        latent = np.stack([np.log(depth.mean(axis=1)), 1e4 * depth.std(axis=1)], axis=1)
        for name in ("fused", "fgs1_embedding", "airs_embedding"):
            content[name] = latent @ np.random.default_rng(5).normal(size=(2, 16)) + 0.05 * rng.normal(
                size=(n, 16)
            )
    if labels:
        content["depth"] = depth
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **content)
    return depth


def write_log(work_dir: Path, *, folds: int = 3, epochs: int = 8, seed: int = 0) -> None:
    """metrics.jsonl and run.json in the words of spectramind_kit.training."""
    rng = np.random.default_rng(seed)
    lines = []
    for fold in range(folds):
        for epoch in range(epochs + 1):
            decay = np.exp(-epoch / 4)
            terms = (
                {}
                if epoch == 0
                else {
                    "total": 0.9 * decay - 0.35,
                    "gll": 0.8 * decay - 0.36,
                    "smoothness": 0.02 * decay,
                    "band_coherence": 0.01 * decay + 0.002,
                    "nonnegativity": 0.0,
                    "fgs1_airs_baseline": 0.006 * decay,
                }
            )
            lines.append(
                {
                    "event": "epoch",
                    "stage": "02_train",
                    "fold": fold,
                    "epoch": epoch,
                    "loss_terms": terms,
                    "held_out_score": 0.53 + 0.05 * (1 - decay) + 0.004 * rng.normal(),
                    "anchor_score": 0.53,
                    "seconds": 3.2,
                    "contribution_score_drop": {"fgs1": 0.012 * (1 - decay), "airs": 0.03 * (1 - decay)},
                    "frozen": ["temporal", "graph"] if epoch <= 2 else ["temporal"] if epoch == 3 else [],
                    "gradient_share": {}
                    if epoch == 0
                    else {"fgs1": 0.3, "airs": 0.0 if epoch <= 2 else 0.25, "fusion": 0.25, "decoder": 0.2},
                }
            )
    for stage, name, seconds in (
        ("01_light_curves", "light curves (train)", 61.0),
        ("02_train", "anchor", 130.2),
    ):
        lines.append(
            {
                "event": "stage",
                "stage": stage,
                "name": name,
                "status": "done",
                "seconds": seconds,
                "peak_memory_mb": 900,
            }
        )
    (work_dir / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{cut", encoding="utf-8")
    (work_dir / "run.json").write_text(
        json.dumps(
            {
                "profile": "quick",
                "seed": 0,
                "backends": {"selective scan": "chunked scan in PyTorch"},
                "environment": {
                    "python": "3.11.9",
                    "cores": 2,
                    "packages": {"torch": "2.13.0", "mamba-ssm": None},
                },
                "stages": {
                    "01_light_curves": {
                        "failed_visits": [{"planet_id": 7, "visit": 1, "error": "dead file <b>"}],
                        "overrides": ["train.epochs=8"],
                    }
                },
            }
        ),
        encoding="utf-8",
    )


def write_truth(path: Path, *, planet_id: np.ndarray, depth: np.ndarray) -> Path:
    """A truth CSV in the layout of train.csv."""
    header = "planet_id," + ",".join(f"wl_{i}" for i in range(1, 284))
    rows = [f"{planet}," + ",".join(f"{value:.9f}" for value in row) for planet, row in zip(planet_id, depth)]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def write_run(
    work_dir: Path, *, n_train: int = 60, n_test: int = 12, seed: int = 0, network: bool = True
) -> Path:
    """A whole run but for light curves; returns the path of the truth CSV."""
    rng = np.random.default_rng(seed)
    work_dir.mkdir(parents=True, exist_ok=True)
    write_predictions(work_dir / "predictions/oof.npz", n=n_train, first_id=1000, rng=rng, network=network)
    depth = write_predictions(
        work_dir / "predictions/test.npz", n=n_test, first_id=5000, rng=rng, labels=False, network=network
    )
    if network:
        write_log(work_dir)
    return write_truth(work_dir / "truth.csv", planet_id=np.arange(5000, 5000 + n_test), depth=depth)
