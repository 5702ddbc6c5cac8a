"""The likelihood and the differentiable metric, against SciPy, against `spectramind_kit.metric` and the
host's scorer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from spectramind_kit.losses.gll import FGS1_WEIGHT, gaussian_loss, official_score
from spectramind_kit.metric import Metric

METRIC = Metric(0.0146926, 0.0106609)


def prediction(rows: int = 5, *, seed: int = 0):
    rng = np.random.default_rng(seed)
    depth = (
        0.0147 * np.exp(0.4 * rng.standard_normal((rows, 1))) * (1 + 0.004 * rng.standard_normal((rows, 283)))
    )
    sigma = 5e-5 * np.exp(0.5 * rng.standard_normal((rows, 283)))
    return depth + sigma * rng.standard_normal((rows, 283)), sigma, depth


def tensors(*arrays, dtype=torch.float64):
    return tuple(torch.tensor(a, dtype=dtype) for a in arrays)


def test_gaussian_loss_is_the_weighted_likelihood():
    """Against scipy's normal distribution, and with the metric's weight on FGS1."""
    stats = pytest.importorskip("scipy.stats")
    mean, sigma, depth = prediction()
    weights = np.r_[FGS1_WEIGHT, np.ones(282)]
    wanted = -(weights * (stats.norm.logpdf(depth, mean, sigma) + 0.5 * np.log(2 * np.pi))).sum() / (
        weights.sum() * len(depth)
    )
    assert float(gaussian_loss(*tensors(mean, sigma, depth))) == pytest.approx(wanted, rel=1e-12)
    reference = np.full_like(sigma, 6e-5)
    assert float(
        gaussian_loss(*tensors(mean, sigma, depth), reference_err=torch.tensor(reference))
    ) == pytest.approx(wanted - np.log(6e-5), rel=1e-9)


def test_score_equals_the_metric():
    """Guards against training on something else than what is scored: element by element the metric's
    numbers."""
    mean, sigma, depth = prediction(seed=1)
    elements = METRIC.element_scores(depth, mean, sigma)
    wanted = (elements * np.r_[FGS1_WEIGHT, np.ones(282)]).sum() / ((FGS1_WEIGHT + 282) * len(depth))
    found = official_score(*tensors(mean, sigma, depth), metric=METRIC)
    assert float(found) == pytest.approx(wanted, abs=1e-12) and 0.3 < float(found) < 1
    single = official_score(*tensors(mean, sigma, depth, dtype=torch.float32), metric=METRIC)
    assert float(single) == pytest.approx(wanted, abs=1e-4)


def test_host_cases(reference_data):
    """The host's own scores on its own inputs, to 1e-9."""
    cases = json.loads((reference_data / "metric_cases.json").read_text())
    arrays = np.load(reference_data / "metric_cases.npz")
    assert len(cases["expected_score"]) >= 13
    for name, expected in cases["expected_score"].items():
        found = official_score(
            *tensors(*(arrays[f"{name}__{part}"] for part in ("mu", "sigma", "y"))),
            metric=Metric(cases["naive_mean"], cases["naive_sigma"]),
        )
        assert float(found.clamp(0.0, 1.0)) == pytest.approx(expected, abs=1e-9), name


def test_the_gradient_leads_to_the_right_sigma():
    """Guards against a sign: at a given error the best sigma of both losses is that error."""
    rng = torch.Generator().manual_seed(0)
    depth = torch.full((4000, 283), 0.0147, dtype=torch.float64)
    mean = depth + 1e-4 * torch.randn(depth.shape, generator=rng, dtype=torch.float64)
    for loss in (
        lambda s: gaussian_loss(mean, s, depth),
        lambda s: -official_score(mean, s, depth, metric=METRIC),
    ):
        log_sigma = torch.tensor(np.log(1e-4), dtype=torch.float64, requires_grad=True)
        loss(log_sigma.exp().expand_as(depth)).backward()
        at_best, log_sigma.grad = abs(float(log_sigma.grad)), None
        slopes = []
        for wrong in (0.5e-4, 2e-4):
            s = torch.tensor(np.log(wrong), dtype=torch.float64, requires_grad=True)
            loss(s.exp().expand_as(depth)).backward()
            slopes.append(float(s.grad))
        assert slopes[0] < 0 < slopes[1] and at_best < 0.05 * min(map(abs, slopes))


def test_unknown_labels_are_left_out():
    """Guards against one NaN label that turns the loss and every gradient into NaN."""
    mean, sigma, depth = tensors(*prediction())
    broken = depth.clone()
    broken[1] = float("nan")
    keep = [0, 2, 3, 4]
    for loss in (gaussian_loss, lambda m, s, d: official_score(m, s, d, metric=METRIC)):
        m = mean.clone().requires_grad_()
        value = loss(m, sigma, broken)
        value.backward()
        assert float(value.detach()) == pytest.approx(
            float(loss(mean[keep], sigma[keep], depth[keep])), rel=1e-12
        )
        assert m.grad.isfinite().all() and (m.grad[1] == 0).all()


def test_a_pull_limit_tames_one_planet_only():
    """Guards against one broken planet owning the gradient, and against a limit that bends the others."""
    mean, sigma, depth = tensors(*prediction())
    assert float(gaussian_loss(mean, sigma, depth, pull_limit=50.0)) == pytest.approx(
        float(gaussian_loss(mean, sigma, depth))
    )
    wild = mean.clone()
    wild[0] += 1e-2
    wild.requires_grad_()
    gaussian_loss(wild, sigma, depth, pull_limit=5.0).backward()
    weight = torch.cat([torch.tensor([FGS1_WEIGHT]), torch.ones(282)]).double() / (5 * (FGS1_WEIGHT + 282))
    assert (wild.grad * sigma / weight).abs().max() <= 5.0 + 1e-9
