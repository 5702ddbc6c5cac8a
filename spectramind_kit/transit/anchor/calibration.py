"""Calibration of the anchor's mean and error bars: what it is and how it is applied (docs/decisions.md D20).

Per sensor, identity at zero:

    mean     <- mean (1 + gain + tilt P1(l) + bend P2(l) + faint f)
                + sigma_mean [shift + limb (u1_FGS1 - centre)]
    variance <- k^2 e^(f.x) [posterior, mean and varying part of AIRS apart]
                + o^2 + (m depth)^2 + (v spread)^2

The relative terms are what a foreground that was not (or too much) subtracted leaves, f = ln of the star's
flux, standardised. ``o`` is a floor, ``m depth`` what labels that no transit can reach leave (stellar
contamination, dilution), ``v spread`` grows with the planet's own features, x are standardised features that
predict the error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spectramind_kit.errors import DataError
from spectramind_kit.transit import flags
from spectramind_kit.transit.anchor.calibration_table import PREDICTORS, CalibrationTable
from spectramind_kit.transit.anchor.spectrum import Anchor
from spectramind_kit.whole_file import whole_file

_FORMAT = 1
_FIX = "run the training stage again"
_SENSORS = ("fgs1", "airs")
_RELATIVE = 2e-3  # unit of the relative corrections: 0.2 % of the depth
# additive terms are a unit times exp(value): small at the identity, but large enough to have a slope there
_FLOOR, _OF_DEPTH, _OF_SPREAD = 4e-6, 6e-4, 0.03


# sd of each value's prior around the identity value 0
PRIOR_SD = {
    **dict.fromkeys(("gain_fgs1", "gain_airs"), 0.5),
    **dict.fromkeys(("tilt_airs", "bend_airs", "faint_fgs1", "faint_airs"), 0.3),
    **dict.fromkeys(("shift_fgs1", "shift_airs", "limb_fgs1", "limb_airs"), 0.2),
    **dict.fromkeys(("scale_fgs1", "scale_airs_mean", "scale_airs_shape"), 0.3),
    **{f"{name}_{sensor}": 2.0 for sensor in _SENSORS for name in ("floor", "depth", "spread")},
    **{f"{name}_{sensor}": 0.07 for sensor in _SENSORS for name in PREDICTORS},
}
NAMES = tuple(PRIOR_SD)


@dataclass(frozen=True)
class AnchorCalibration:
    """Learned by `fit_calibration`. P values, F columns of the `CalibrationTable`."""

    values: np.ndarray  # (P,) of `NAMES`
    centres: np.ndarray  # (F,) of the columns
    widths: np.ndarray  # (F,)
    identity: bool  # nothing is changed
    n_planets: int
    score_before: float = float("nan")  # official score of the held-out planets
    score_after: float = float("nan")  # the same, cross-validated
    strength: float = float("nan")  # of the pull to the identity

    def save(self, path: str | Path) -> None:
        """Write as JSON, atomically."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        plain = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in own.items()}
        text = {"format": _FORMAT, "names": list(NAMES), **plain}
        with whole_file(path) as part:
            part.write_text(json.dumps(text, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> AnchorCalibration:
        """Read what `save` wrote; DataError if it is something else."""
        try:
            text = json.loads(Path(path).read_text(encoding="utf-8"))
            fits = text["format"] == _FORMAT and tuple(text["names"]) == NAMES
            plain = {f.name: text[f.name] for f in fields(cls)} if fits else {}
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                "an anchor calibration cannot be read", where=str(path), found=str(error), fix=_FIX
            ) from error
        if not fits:
            raise DataError("an anchor calibration of another version", where=str(path), fix=_FIX)
        return cls(**{name: np.array(v) if isinstance(v, list) else v for name, v in plain.items()})


def identity_calibration(n_planets: int = 0) -> AnchorCalibration:
    """Changes nothing."""
    columns = len(PREDICTORS) + 2
    return AnchorCalibration(np.zeros(len(NAMES)), np.zeros(columns), np.ones(columns), True, n_planets)


def calibrated(
    values: Tensor, table: CalibrationTable, centres: Tensor, widths: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and sigma (N, W) under ``values`` (P,), differentiable."""
    p = dict(zip(NAMES, values))
    x = ((table.columns - centres) / widths).clamp(-3.0, 3.0)
    faint, limb, predictors = x[:, 0], x[:, 1], x[:, 2:]
    bent = p["tilt_airs"] * table.place + p["bend_airs"] * (1.5 * table.place.square() - 0.5)
    km, kv = torch.exp(p["scale_airs_mean"]), torch.exp(p["scale_airs_shape"])
    own_airs = km**2 * table.airs_mean[:, None] + kv**2 * table.airs_shape + km * kv * table.airs_cross
    own_fgs1 = torch.exp(2.0 * p["scale_fgs1"]) * table.fgs1[:, None]
    means, sigmas = [], []
    for sensor, depth, own, unit, spread, shape in (
        ("fgs1", table.depth[:, :1], own_fgs1, table.fgs1, table.fgs1_spread, 0.0),
        ("airs", table.depth[:, 1:], own_airs, table.airs_mean, table.airs_spread, bent),
    ):
        relative = (p[f"gain_{sensor}"] + p[f"faint_{sensor}"] * faint)[:, None] + shape
        # a shift is in units of the planet's own error: sharp planets move less
        shift = unit.sqrt() * (p[f"shift_{sensor}"] + p[f"limb_{sensor}"] * limb)
        means.append(depth * (1.0 + _RELATIVE * relative) + shift[:, None])
        slopes = torch.stack([p[f"{name}_{sensor}"] for name in PREDICTORS])
        grow = torch.exp((predictors * slopes).sum(1).clamp(-2.0, 2.0) * 2.0)
        floor = _FLOOR * torch.exp(p[f"floor_{sensor}"])
        of_depth = _OF_DEPTH * torch.exp(p[f"depth_{sensor}"]) * table.level
        of_spread = _OF_SPREAD * torch.exp(p[f"spread_{sensor}"]) * spread
        extra = floor**2 + of_depth**2 + of_spread**2
        sigmas.append(((grow[:, None] * own).clamp_min(1e-14) + extra[:, None]).sqrt())
    return torch.cat(means, 1), torch.cat(sigmas, 1)


def calibrate(anchor: Anchor, calibration: AnchorCalibration) -> Anchor:
    """The anchor with its mean shifted and its covariance rescaled (its correlations are kept)."""
    if calibration.identity or flags.has(anchor.flags, flags.NO_INFORMATION):
        return anchor
    values, centres, widths = map(
        torch.as_tensor, (calibration.values, calibration.centres, calibration.widths)
    )
    mean, sigma = (v[0].numpy() for v in calibrated(values, CalibrationTable.of([anchor]), centres, widths))
    ratio = sigma / np.maximum(anchor.depth_err, 1e-12)
    return replace(anchor, depth=mean, covariance=anchor.covariance * np.outer(ratio, ratio))
