"""Readings of a bin's fluxes: linear in them, whatever decides on the weights."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.models import example_batch
from spectramind_kit.models.flux_readout import AttentiveReadout, FixedReadout, FluxSteps, flux_steps

STEPS, BINS, WIDTH, READINGS = 29, 6, 16, 5
KINDS = ("attentive", "attentive, patches", "fixed")


def batch_of(**changes):
    return example_batch(3, time_steps=STEPS, n_airs=BINS - 1) | changes


def reader(kind: str):
    """Fluxes -> readings; the bins' vectors and the tokens of time are always the same."""
    rng = torch.Generator().manual_seed(1)
    bins = torch.randn(3, BINS, WIDTH, generator=rng)
    torch.manual_seed(0)
    if kind == "fixed":
        readout = FixedReadout(WIDTH, readings=READINGS)
        return lambda flux: readout(bins, flux)
    tokens = torch.randn(3, STEPS if kind == "attentive" else -(-STEPS // 4), WIDTH, generator=rng)
    readout = AttentiveReadout(WIDTH, readings=READINGS)
    return lambda flux: readout(bins, tokens, flux)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_readings_are_linear_in_the_fluxes(kind):
    """Guards against a layer that bends the fluxes: a depth is a difference in their last digits."""
    read, one = reader(kind), flux_steps(batch_of())
    other = one._replace(values=torch.randn_like(one.values))
    both = one._replace(values=2.0 * one.values - 3.0 * other.values)
    assert read(one).shape == (3, BINS, READINGS) and read(one).abs().min() > 0
    torch.testing.assert_close(read(both), 2.0 * read(one) - 3.0 * read(other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bin_reads_no_other(kind):
    """Guards against the fluxes of one wavelength in the readings of another."""
    read, flux = reader(kind), flux_steps(batch_of())
    changed = flux.values.clone()
    changed[..., 2] += 1.0
    moved = (read(flux._replace(values=changed)) - read(flux)).abs().amax((0, 2)) > 0
    assert moved.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_masked_or_missing_is_not_read(kind):
    """Guards against garbage behind the end of a visit, and against NaN of a step that was lost."""
    read, batch = reader(kind), batch_of()
    broken = {name: batch[name].clone() for name in ("fgs1", "airs", "time", "transit_shape", "weight")}
    for values in broken.values():
        values[~batch["mask"]] = float("nan")
    assert torch.equal(read(flux_steps(batch | broken)), read(flux_steps(batch)))
    lost, zero = batch["airs"].clone(), batch["airs"].clone()
    lost[:, 7], zero[:, 7] = float("nan"), 0.0
    assert torch.equal(read(flux_steps(batch | {"airs": lost})), read(flux_steps(batch | {"airs": zero})))


def test_a_token_of_several_steps_reads_their_weighted_sum():
    """Guards against steps that go to the token of their neighbours, and against a last token that is not
    full."""
    readout, flux = AttentiveReadout(WIDTH, readings=READINGS), flux_steps(batch_of())
    bins, tokens = torch.randn(3, BINS, WIDTH), torch.randn(3, 8, WIDTH)
    readings, signed = readout(bins, tokens, flux)
    assert signed.shape == (3, READINGS, BINS, 8) and signed.min() < 0 < signed.max()
    of_a_step = signed.repeat_interleave(4, dim=-1)[..., :STEPS]
    by_hand = torch.einsum("brwt,bt,btw->bwr", of_a_step, flux.weight, flux.values)
    torch.testing.assert_close(readings, by_hand, rtol=1e-4, atol=1e-6)


def test_the_weights_do_not_see_the_fluxes():
    """Guards against weights that a brighter star would change: then nothing is linear any more."""
    readout, flux = AttentiveReadout(WIDTH, readings=READINGS), flux_steps(batch_of())
    bins, tokens = torch.randn(3, BINS, WIDTH), torch.randn(3, STEPS, WIDTH)
    doubled = flux._replace(values=2.0 * flux.values)
    (one, weights), (two, again) = (readout(bins, tokens, f) for f in (flux, doubled))
    assert torch.equal(weights, again)
    torch.testing.assert_close(two, 2.0 * one)


@pytest.mark.parametrize("kind", KINDS)
def test_fluxes_keep_their_digits_in_half_precision(kind):
    """Guards against a difference of a few parts in a thousand that is summed in three digits."""
    read, flux = reader(kind), flux_steps(batch_of())
    level = flux._replace(values=flux.values * 1e-3 + 1.0)
    flat = flux._replace(values=torch.ones_like(flux.values))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = read(level) - read(flat)
    wanted = 1e-3 * read(flux)
    assert found.dtype == torch.float32
    assert (found - wanted).norm() < 2e-2 * wanted.norm()


def test_without_fgs1_its_curve_is_the_mean_of_the_others():
    """Guards against a fusion without FGS1 that has its fluxes, and against a bin without any."""
    flux = flux_steps(batch_of())
    without = flux.without_fgs1()
    torch.testing.assert_close(without.values[..., 0], flux.values[..., 1:].mean(-1))
    assert isinstance(without, FluxSteps) and torch.equal(without.values[..., 1:], flux.values[..., 1:])
