"""Groups of inputs and the batches that mix them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectramind_kit.diagnostics.input_groups import input_groups, joined, mixed_rows, row_count, take_rows
from spectramind_kit.models.batch import example_batch


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    return example_batch(4, time_steps=12)


def test_groups_cover_the_inputs_once(batch):
    """Guards against an input that no group holds, whose effect would vanish from the figure."""
    seen: dict[str, list] = {}
    for group in input_groups(batch["wavelength_um"].numpy()):
        for name, bins in group.parts:
            seen.setdefault(name, []).extend([None] if bins is None else bins.tolist())
    assert sorted(seen["airs"]) == list(range(282)) and sorted(seen["bins"]) == list(range(283))
    assert set(seen) == {"fgs1", "white", "airs", "bins", "transit_shape", "time", "star"}


def test_rows_of_a_batch_and_batches_joined_again(batch):
    """Inverse: a batch cut into rows and joined is the batch; the wavelengths are not cut."""
    again = joined([take_rows(batch, [row]) for row in range(row_count(batch))])
    assert again.keys() == batch.keys()
    for name, part in batch.items():
        torch.testing.assert_close(again[name], part, rtol=0, atol=0, equal_nan=True)


def test_only_the_groups_outside_come_from_the_donors(batch):
    """Guards against a coalition whose groups leak, and against donors written into the own batch."""
    own, donors = take_rows(batch, [0, 0]), {n: p + 1 for n, p in take_rows(batch, [1, 2]).items()}
    before = {name: part.clone() for name, part in own.items()}
    groups = {group.name: group for group in input_groups(batch["wavelength_um"].numpy())}
    outside = [
        groups["AIRS light curve 2.5–2.8 µm"],
        groups["features of the FGS1 bin"],
        groups["star and orbit"],
    ]
    mixed = mixed_rows(own, donors, outside)
    bins = np.isin(np.arange(282), outside[0].parts[0][1])
    assert torch.equal(mixed["airs"][..., bins], donors["airs"][..., bins])
    assert torch.equal(mixed["airs"][..., ~bins], own["airs"][..., ~bins])
    assert torch.equal(mixed["bins"][:, :1], donors["bins"][:, :1])
    assert torch.equal(mixed["bins"][:, 1:], own["bins"][:, 1:])
    assert torch.equal(mixed["star"], donors["star"]) and torch.equal(mixed["fgs1"], own["fgs1"])
    assert all(torch.equal(own[name], before[name]) for name in before)
