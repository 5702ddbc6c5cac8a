"""The batch contract: what obeys it, and what is told where it does not."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.errors import DataError
from spectramind_kit.models.batch import CONTRACT, LABEL, SERIES, check_batch, example_batch, wavelengths_of


@pytest.fixture
def batch():
    return example_batch(2, time_steps=29, n_airs=40)


def test_the_example_obeys_the_contract(batch):
    """Guards against an example that a model takes where it refuses a real batch, or the reverse."""
    check_batch(batch)
    assert set(batch) == {*CONTRACT, *LABEL}
    assert {name for name, value in batch.items() if value.shape[1:2] == (29,)} == set(SERIES)
    assert (batch["reference_err"] > 0).all() and batch["transit_shape"].min() >= -1
    assert not batch["mask"].all() and torch.allclose(batch["weight"].sum(1), torch.ones(2))
    assert not batch["weight"][~batch["mask"]].any()


@pytest.mark.parametrize("name", CONTRACT)
def test_a_missing_name_is_told(name, batch):
    """Guards against a KeyError from inside the model."""
    with pytest.raises(DataError, match=name):
        check_batch({key: value for key, value in batch.items() if key != name})


def test_labels_are_the_losses_business(batch):
    """Guards against a model that cannot predict because the answer is missing."""
    check_batch({name: value for name, value in batch.items() if name not in LABEL})


@pytest.mark.parametrize("name", sorted(set(CONTRACT) - {"wavelength_um", "star"}))
def test_a_shape_that_does_not_fit_is_told(name, batch):
    """Guards against a broadcast over the wrong axis; a second axis of visits among them."""
    value = batch[name]
    for wrong in (value[:, :-1] if value.ndim > 1 else value[:-1], value[:, None]):
        with pytest.raises(DataError, match="does not fit the others"):
            check_batch({**batch, name: wrong})


def test_the_mask_is_boolean(batch):
    """Guards against a mask of numbers, whose complement is not what is masked."""
    with pytest.raises(DataError, match="mask"):
        check_batch({**batch, "mask": batch["mask"].float()})


def test_wavelengths_may_be_stacked(batch):
    """Guards against a collate function that stacks what all rows share."""
    stacked = {"wavelength_um": batch["wavelength_um"].expand(2, -1)}
    assert torch.equal(wavelengths_of(stacked), wavelengths_of(batch))
