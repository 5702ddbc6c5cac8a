"""The composite loss: a sum of its terms, each switchable, annealed and logged."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from spectramind_kit.configs import available_choices, load_config
from spectramind_kit.configs.target import instantiate, to_plain
from spectramind_kit.errors import ConfigError, DataError
from spectramind_kit.losses.composite import TERMS, CompositeLoss
from spectramind_kit.metric import Metric
from spectramind_kit.models import example_batch


def output_of(batch, *, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    err = batch["reference_err"]
    return SimpleNamespace(
        depth_mean=batch["reference_depth"] + 0.3 * err * torch.randn(err.shape, generator=rng),
        depth_sigma=err * torch.exp(0.1 * torch.randn(err.shape, generator=rng)),
    )


@pytest.fixture
def batch():
    return example_batch(3, time_steps=4)


@pytest.mark.parametrize("choice", available_choices("loss"))
def test_configs_build_and_differentiate(choice, batch):
    """Guards against a loss file whose terms leave a prediction without a gradient."""
    loss = instantiate(
        to_plain(load_config(overrides=[f"loss={choice}"], use_hydra=False).loss), where="loss"
    )
    output = output_of(batch)
    output.depth_mean.requires_grad_()
    output.depth_sigma.requires_grad_()
    result = loss(output, batch, epoch=10)
    result.total.backward()
    assert output.depth_mean.grad.isfinite().all() and output.depth_sigma.grad.isfinite().all()
    assert set(result.terms) == {name for name, weight in loss.weights.items() if weight}


def test_the_default_config_knows_every_term():
    """Guards against a term that no override can reach."""
    assert set(load_config(use_hydra=False).loss.weights) == set(TERMS)


def test_total_is_the_sum_of_weight_times_term(batch):
    """Guards against a weight that is applied twice or not at all, and against terms that know of each
    other."""
    weights = {name: 0.1 * (k + 1) for k, name in enumerate(TERMS)}
    output = output_of(batch)
    result = CompositeLoss(weights, baseline_start=0, baseline_ramp=0)(output, batch, epoch=3)
    assert float(result.total) == pytest.approx(
        sum(weights[n] * float(t) for n, t in result.terms.items()), rel=1e-6
    )
    for name in TERMS:
        alone = CompositeLoss({name: 2.0}, baseline_start=0, baseline_ramp=0)(output, batch, epoch=3)
        assert set(alone.terms) == {name} and float(alone.terms[name]) == pytest.approx(
            float(result.terms[name]), rel=1e-6
        )
        assert float(alone.total) == pytest.approx(2.0 * float(result.terms[name]), rel=1e-6)


def test_the_metric_is_the_one_that_is_handed_over(batch):
    """Guards against training on 2025's naive prediction where the labels have another mean and spread."""
    node, output, metric = (
        to_plain(load_config(overrides=["loss=metric"]).loss),
        output_of(batch),
        Metric(0.02, 0.003),
    )
    loss = instantiate(node, where="loss", given={"metric": metric})
    found = loss(output, batch).terms["metric"]
    assert float(found) == pytest.approx(
        1.0 - metric.score(batch["depth"], output.depth_mean, output.depth_sigma, clip=False), rel=1e-5
    )
    assert float(found) != pytest.approx(float(CompositeLoss({"metric": 1.0})(output, batch).total), rel=1e-3)


def test_the_baseline_is_annealed_in(batch):
    """Guards against FGS1 being pulled to an AIRS level that is not learned yet."""
    loss = CompositeLoss({"gll": 1.0, "baseline": 0.4}, baseline_start=2, baseline_ramp=4)
    grown = [loss.weights_at(epoch)["baseline"] for epoch in range(8)]
    assert grown == pytest.approx([0, 0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    early = loss(output_of(batch), batch, epoch=0)
    assert (
        float(early.total) == pytest.approx(float(early.terms["gll"])) and float(early.terms["baseline"]) > 0
    )


def test_the_mean_is_learned_first(batch):
    """Guards against an error that grows over what the mean has yet to learn, and against one that is never
    learned."""
    loss = CompositeLoss({"gll": 2.0, "smoothness": 0.1}, mean_first=2.5, mean_pull_limit=1.0)
    assert loss.weights_at(2) == {"squared_error": 2.0, "smoothness": 0.1}
    assert loss.weights_at(3) == {"gll": 2.0, "smoothness": 0.1}
    for epoch, learned in ((0, False), (3, True)):
        output = output_of(batch)
        output.depth_mean.requires_grad_()
        output.depth_sigma.requires_grad_()
        total = loss(output, batch, epoch=epoch).total
        mean, sigma = torch.autograd.grad(total, (output.depth_mean, output.depth_sigma), allow_unused=True)
        assert mean.abs().min() > 0 and (sigma is not None and bool(sigma.any())) == learned


def test_the_mean_is_learned_first_also_for_the_metric(batch):
    """Guards against epochs without any term where the likelihood is not what is learned later."""
    loss = CompositeLoss({"metric": 1.0}, mean_first=1.0)
    assert loss.weights_at(0) == {"squared_error": 1.0} and loss.weights_at(1) == {"metric": 1.0}


def test_one_broken_planet_does_not_own_the_mean(batch):
    """Guards against a square where a robust error was asked for: the pull of a label that is far off grows
    no more."""
    gradients = []
    for off in (1.0, 30.0, 3000.0):
        output = SimpleNamespace(
            depth_mean=batch["reference_depth"].clone().requires_grad_(), depth_sigma=batch["reference_err"]
        )
        label = {"depth": batch["reference_depth"] + off * batch["reference_err"]}
        CompositeLoss({"squared_error": 1.0}, mean_pull_limit=2.0)(output, batch | label).total.backward()
        gradients.append(float(output.depth_mean.grad[0, 5]))
    assert gradients[1] / gradients[0] == pytest.approx(2.0, rel=1e-3)
    assert gradients[2] == pytest.approx(gradients[1], rel=1e-3)


def test_terms_are_in_standardised_units(batch):
    """Guards against a lambda that means something else on a noisier planet: all depths and errors doubled (a
    planet twice as large, measured half as well) changes no term but those that compare with fixed
    numbers."""
    loss = CompositeLoss({name: 1.0 for name in TERMS if name not in ("metric", "baseline")})
    output = output_of(batch)
    doubled = {**batch, **{k: 2 * batch[k] for k in ("reference_depth", "reference_err", "depth")}}
    twice = SimpleNamespace(depth_mean=2 * output.depth_mean, depth_sigma=2 * output.depth_sigma)
    for name, term in loss(output, batch).terms.items():
        assert float(loss(twice, doubled).terms[name]) == pytest.approx(float(term), rel=1e-4), name


def test_a_calibrated_anchor_scores_a_half():
    """A likelihood term of 0.5 means: errors are what they claim to be. (pull² has mean 1.)"""
    batch = example_batch(400, time_steps=1)
    anchor = SimpleNamespace(depth_mean=batch["reference_depth"], depth_sigma=batch["reference_err"])
    assert float(CompositeLoss({"gll": 1.0})(anchor, batch).total) == pytest.approx(0.5, abs=0.05)


def test_loss_is_computed_in_single_precision_under_autocast(batch):
    """Guards against squares of 1e-5 in half precision, which are zero."""
    output = output_of(batch)
    wanted = CompositeLoss({"gll": 1.0, "smoothness": 0.1})(output, batch).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = CompositeLoss({"gll": 1.0, "smoothness": 0.1})(output, batch).total
    assert found.dtype == torch.float32 and float(found) == float(wanted)


@pytest.mark.parametrize("choice", available_choices("loss"))
def test_a_loss_node_is_taken_as_it_is(choice, batch):
    """Guards against a notebook that takes the node apart, and trains with other settings than a run."""
    config = load_config(overrides=[f"loss={choice}", "loss.weights.gll=2"], use_hydra=False)
    metric, output = Metric(0.01, 0.02), output_of(batch)
    wanted = instantiate(to_plain(config.loss), where="loss", given={"metric": metric})
    for node in (config.loss, to_plain(config.loss)):
        found = CompositeLoss(node, metric=metric)
        assert float(found(output, batch).total) == float(wanted(output, batch).total)
        assert (found.weights, found.metric, found.unit) == (wanted.weights, metric, wanted.unit)


def test_a_loss_node_says_everything(batch):
    """Guards against a setting beside the node, or a misspelt one in it, that changes nothing."""
    node = to_plain(load_config(use_hydra=False).loss)
    with pytest.raises(ConfigError, match="beside it pull_limit"):
        CompositeLoss(node, pull_limit=2.0)
    with pytest.raises(ConfigError, match="did you mean 'pull_limit'"):
        CompositeLoss({**node, "pull_limits": 2.0})


def test_mistakes(batch):
    """Guards against a loss that silently trains on something else, or on nothing."""
    with pytest.raises(ConfigError, match="smoothness"):
        CompositeLoss({"gll": 1.0, "smothness": 0.1})
    with pytest.raises(ConfigError, match="switched off"):
        CompositeLoss({"gll": 0.0})
    with pytest.raises(ConfigError, match="second_difference"):
        CompositeLoss({"gll": 1.0}, smoothness_form="second")
    with pytest.raises(DataError, match="labels"):
        CompositeLoss({"gll": 1.0})(output_of(batch), {k: v for k, v in batch.items() if k != "depth"})
