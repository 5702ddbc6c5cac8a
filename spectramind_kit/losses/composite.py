"""The loss that is trained on: the likelihood plus weighted priors, each logged by itself
(docs/decisions.md D46)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from spectramind_kit.errors import ConfigError, DataError, check_choice
from spectramind_kit.losses.gll import gaussian_loss, official_score
from spectramind_kit.losses.priors import (
    band_coherence,
    check_smoothness,
    fgs1_airs_baseline,
    nonnegativity,
    smoothness,
)
from spectramind_kit.metric import FGS1_WEIGHT, Metric
from spectramind_kit.models.batch import wavelengths_of
from spectramind_kit.models.wavelength_graph import MOLECULAR_BANDS

TERMS = ("gll", "metric", "squared_error", "smoothness", "band_coherence", "nonnegativity", "baseline")


@dataclass(frozen=True)
class LossTerms:
    """What one batch gives."""

    total: Tensor  # what to differentiate
    terms: dict[str, Tensor] = field(default_factory=dict)  # every active term, unweighted and detached
    weights: dict[str, float] = field(default_factory=dict)  # used this epoch


class CompositeLoss(nn.Module):
    """Sum of weight · term; a weight of zero switches a term off.

    Parameters
    ----------
    weights : mapping
        Term -> lambda, terms being `TERMS`; what is left out is off. Or the ``loss`` node of a configuration,
        ``CompositeLoss(load_config().loss)``, which then says everything but ``metric``.
        gll: likelihood with the official weights. metric: 1 - official score. squared_error: weighted mean
        square of the pull by the anchor's error. The rest: see `spectramind_kit.losses.priors`.
    fgs1_weight : float             weight of FGS1's bin in gll, metric and squared_error
    pull_limit : float              of `gaussian_loss`
    mean_first : float
        Epochs in which the mean is learned alone: a robust error takes the place of the likelihood, so that
        sigma does not grow over what the mean has yet to learn.
    mean_pull_limit : float
        Of that error and of squared_error, in reference errors.
    metric : Metric, optional       with the mean and spread of all training depths; by default those of 2025
    smoothness_form, smoothness_cutoff     ``second_difference`` | ``fft``, and where high frequencies begin
    baseline_spread : float         how far FGS1 may lie from AIRS, transit depth
    baseline_start, baseline_ramp : int
        The baseline term is off before epoch ``start`` and grows linearly to its weight over ``ramp`` epochs:
        early on, FGS1 must not be pulled to an AIRS level that is not learned yet.
    unit : float
        Depth that counts as 1 in the priors; 0 takes each planet's own mean ``reference_err`` over the AIRS
        bins. In raw depths (1e-5 squared) any lambda would vanish against the likelihood.
    """

    def __init__(  # noqa: PLR0913 -- each is a key of configs/loss, flat as users set them
        self,
        weights: Mapping[str, float],
        *,
        fgs1_weight: float = FGS1_WEIGHT,
        pull_limit: float = 4.0,
        mean_first: float = 0.0,
        mean_pull_limit: float = 0.0,
        metric: Metric | None = None,
        smoothness_form: str = "second_difference",
        smoothness_cutoff: float = 0.25,
        baseline_spread: float = 3e-4,
        baseline_start: int = 2,
        baseline_ramp: int = 5,
        unit: float = 0.0,
    ):
        if "weights" in weights:
            self.__init__(**_settings_of(weights, beside=locals()), metric=metric)
            return
        super().__init__()
        for name in weights:
            check_choice(name, TERMS, what="term of the loss", where="loss.weights")
        check_smoothness(smoothness_form)
        self.weights = {name: float(weights.get(name, 0.0)) for name in TERMS}
        if not any(self.weights.values()):
            raise ConfigError(
                "every term of the loss is switched off", where="loss.weights", fix="set gll to 1"
            )
        self.fgs1_weight, self.pull_limit, self.unit = fgs1_weight, pull_limit, unit
        self.mean_first, self.mean_pull_limit = mean_first, mean_pull_limit
        self.metric = metric or Metric()
        self.smoothness_form, self.smoothness_cutoff = smoothness_form, smoothness_cutoff
        self.baseline_spread = baseline_spread
        self.baseline_start, self.baseline_ramp = baseline_start, baseline_ramp

    def weights_at(self, epoch: float) -> dict[str, float]:
        """The weights of the active terms in ``epoch`` (from 0)."""
        grown = min(1.0, max(0.0, (epoch - self.baseline_start + 1) / max(self.baseline_ramp, 1)))
        active = {name: weight for name, weight in self.weights.items() if weight}
        if epoch < self.mean_first:
            active = {n: w for n, w in active.items() if n not in ("gll", "metric")}
            active["squared_error"] = self.weights["gll"] or 1.0
        return {name: weight * (grown if name == "baseline" else 1.0) for name, weight in active.items()}

    def forward(self, output, batch: Mapping[str, Tensor], *, epoch: float = 0.0) -> LossTerms:
        """``output`` with depth_mean, depth_sigma (B, 283); ``batch`` as in `models.batch`, labelled."""
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
        mean, sigma = output.depth_mean.to(wide), output.depth_sigma.to(wide)
        depth, err = batch["depth"].to(wide), batch["reference_err"].to(wide)
        if name in ("gll", "squared_error"):
            weight = {"fgs1_weight": self.fgs1_weight, "reference_err": err}
            if name == "gll":
                return gaussian_loss(mean, sigma, depth, pull_limit=self.pull_limit, **weight)
            # a Gaussian loss of fixed width; the factor undoes its half
            return 2.0 * gaussian_loss(mean, err, depth, pull_limit=self.mean_pull_limit, **weight)
        if name == "metric":
            score = official_score(mean, sigma, depth, metric=self.metric, fgs1_weight=self.fgs1_weight)
            return (1.0 - score).to(wide)
        if name == "baseline":
            return fgs1_airs_baseline(mean, spread=self.baseline_spread)
        unit = err[:, 1:].mean(-1, keepdim=True) if self.unit == 0 else torch.full_like(err[:, :1], self.unit)
        if name == "smoothness":
            return smoothness(mean, unit, form=self.smoothness_form, cutoff=self.smoothness_cutoff)
        if name == "band_coherence":
            correction = mean - batch["reference_depth"].to(wide)
            return band_coherence(correction, wavelengths_of(batch), unit, bands=MOLECULAR_BANDS)
        return nonnegativity(mean, unit)


def _settings_of(node: Mapping[str, Any], *, beside: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a ``loss`` node holds. ``beside``: those of the call, which may set none of them."""
    parameters = signature(CompositeLoss).parameters
    names = [name for name in parameters if name != "metric"]
    for key in node:
        check_choice(key, ("_target_", *names), what="key", where="loss")
    changed = [name for name in names[1:] if beside[name] != parameters[name].default]
    if changed:
        what, fix = "a loss node comes with all of its settings", "load_config(overrides=['loss.<name>=…'])"
        raise ConfigError(what, where="CompositeLoss", found=f"beside it {', '.join(changed)}", fix=fix)
    return {name: node[name] for name in node if name != "_target_"}
