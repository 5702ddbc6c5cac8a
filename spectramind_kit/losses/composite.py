"""The loss that is trained on: the likelihood plus weighted priors, each logged by itself
(docs/decisions.md D46)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError, DataError, nearest
from spectramind_kit.losses.gll import gaussian_loss, official_score
from spectramind_kit.losses.priors import (
    SMOOTHNESS_FORMS,
    band_coherence,
    fgs1_airs_baseline,
    nonnegativity,
    smoothness,
)
from spectramind_kit.metric import FGS1_WEIGHT, Metric
from spectramind_kit.models.wavelength_graph import MOLECULAR_BANDS

TERMS = ("gll", "metric", "squared_error", "smoothness", "band_coherence", "nonnegativity", "baseline")


@dataclass(frozen=True)
class LossTerms:
    """total: what to differentiate. terms: every active term, unweighted and detached. weights: used this
    epoch."""

    total: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)


class CompositeLoss(nn.Module):
    """Sum of weight · term; a weight of zero switches a term off.

    Parameters
    ----------
    weights : mapping
        Term -> lambda, terms being `TERMS`; what is left out is off.
        gll: likelihood with the official weights. metric: 1 - official score. squared_error: weighted mean
        square of the pull by the anchor's error. The rest: see `spectramind_kit.losses.priors`.
    fgs1_weight : float             weight of FGS1's bin in gll, metric and squared_error
    pull_limit : float              of `gaussian_loss`
    metric : Metric, optional       with the mean and spread of all training depths; of 2025's by default
    smoothness_form, smoothness_cutoff     ``second_difference`` | ``fft``, and where high frequencies begin
    baseline_spread : float         how far FGS1 may lie from AIRS, transit depth
    baseline_start, baseline_ramp : the baseline term is off before epoch ``start`` and grows linearly to its
    weight
        over ``ramp`` epochs: early on, FGS1 must not be pulled to an AIRS level that is not learned yet.
    unit : float
        Depth that counts as 1 in the priors; 0 takes each planet's own mean ``anchor_err`` over the AIRS
        bins. In raw depths (1e-5 squared) any lambda would vanish against the likelihood.
    """

    def __init__(  # noqa: PLR0913 -- the keys of configs/loss, flat as users set them
        self,
        weights: Mapping[str, float],
        *,
        fgs1_weight: float = FGS1_WEIGHT,
        pull_limit: float = 0.0,
        metric: Metric | None = None,
        smoothness_form: str = "second_difference",
        smoothness_cutoff: float = 0.25,
        baseline_spread: float = 3e-4,
        baseline_start: int = 2,
        baseline_ramp: int = 5,
        unit: float = 0.0,
    ):
        super().__init__()
        for name in weights:
            if name not in TERMS:
                raise ConfigError(
                    "unknown term of the loss",
                    where="loss.weights",
                    found=str(name),
                    fix=nearest(str(name), TERMS),
                )
        if smoothness_form not in SMOOTHNESS_FORMS:
            raise ConfigError(
                "unknown form of the smoothness term",
                where="loss.smoothness_form",
                found=smoothness_form,
                fix=nearest(smoothness_form, SMOOTHNESS_FORMS),
            )
        self.weights = {name: float(weights.get(name, 0.0)) for name in TERMS}
        if not any(self.weights.values()):
            raise ConfigError(
                "every term of the loss is switched off", where="loss.weights", fix="set gll to 1"
            )
        self.fgs1_weight, self.pull_limit, self.unit = fgs1_weight, pull_limit, unit
        self.metric = metric or Metric()
        self.smoothness_form, self.smoothness_cutoff = smoothness_form, smoothness_cutoff
        self.baseline_spread, self.baseline_start, self.baseline_ramp = (
            baseline_spread,
            baseline_start,
            baseline_ramp,
        )

    def weights_at(self, epoch: float) -> dict[str, float]:
        """The weights of the active terms in ``epoch`` (from 0)."""
        grown = min(1.0, max(0.0, (epoch - self.baseline_start + 1) / max(self.baseline_ramp, 1)))
        return {
            name: weight * (grown if name == "baseline" else 1.0)
            for name, weight in self.weights.items()
            if weight
        }

    def forward(self, output, batch: Mapping[str, Tensor], *, epoch: float = 0.0) -> LossTerms:
        """``output`` with depth_mean and depth_sigma (B, 283); ``batch`` with depth, anchor_depth,
        anchor_err, wavelength_um."""
        if "depth" not in batch:
            raise DataError(
                "the batch has no labels", where="batch['depth']", fix="train on planets with known depths"
            )
        weights = self.weights_at(epoch)
        with torch.autocast(device_type=output.depth_mean.device.type, enabled=False):
            terms = {name: self._term(name, output, batch) for name in weights}
            total = sum(weights[name] * term for name, term in terms.items())
        return LossTerms(total, {name: term.detach() for name, term in terms.items()}, weights)

    def _term(self, name: str, output, batch: Mapping[str, Tensor]) -> Tensor:
        wide = torch.promote_types(output.depth_mean.dtype, torch.float32)
        mean, sigma, depth, err = (
            t.to(wide) for t in (output.depth_mean, output.depth_sigma, batch["depth"], batch["anchor_err"])
        )
        unit = err[:, 1:].mean(-1, keepdim=True) if self.unit == 0 else torch.full_like(err[:, :1], self.unit)
        if name == "gll":
            return gaussian_loss(
                mean,
                sigma,
                depth,
                reference_err=err,
                fgs1_weight=self.fgs1_weight,
                pull_limit=self.pull_limit,
            )
        if name == "metric":
            return (
                1.0 - official_score(mean, sigma, depth, metric=self.metric, fgs1_weight=self.fgs1_weight)
            ).to(wide)
        if name == "squared_error":  # a Gaussian loss of fixed width; the factor undoes its half
            return 2.0 * gaussian_loss(
                mean, err, depth, reference_err=err, fgs1_weight=self.fgs1_weight, pull_limit=self.pull_limit
            )
        if name == "smoothness":
            return smoothness(mean, unit, form=self.smoothness_form, cutoff=self.smoothness_cutoff)
        if name == "band_coherence":
            wavelength = (
                batch["wavelength_um"] if batch["wavelength_um"].ndim == 1 else batch["wavelength_um"][0]
            )
            return band_coherence(
                mean - batch["anchor_depth"].to(wide), wavelength, unit, bands=MOLECULAR_BANDS
            )
        if name == "nonnegativity":
            return nonnegativity(mean, unit)
        return fgs1_airs_baseline(mean, spread=self.baseline_spread)
