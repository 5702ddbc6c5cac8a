"""What an encoder contributes is what the score loses without it."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectramind_kit.training.contributions import embedding_drops
from spectramind_kit.training.evaluation import HeldOut, evaluate_rows
from tests.training.known_rows import make_network


def test_an_embedding_that_says_nothing_drops_nothing(held_out):
    """Guards against contributions that are artefacts: the untouched anchored head ignores both encoders."""
    model, _ = make_network()
    found = evaluate_rows(model, held_out.dataset, held_out.rows)
    drops = embedding_drops(model, held_out, score=held_out.score(found["depth_mean"], found["depth_sigma"]))
    assert max(abs(value) for value in drops.values()) < 1e-6


@dataclass
class Embedded:
    fgs1: torch.Tensor
    fgs1_mask: torch.Tensor
    airs: torch.Tensor


class ReadsAirs(torch.nn.Module):
    """Its AIRS embedding is the label, its FGS1 embedding is not looked at."""

    def encode(self, batch):
        return Embedded(batch["fgs1"], batch["mask"], batch["depth"])

    def decode(self, encoded, batch):
        return SimpleNamespace(depth_mean=encoded.airs, depth_sigma=torch.full_like(encoded.airs, 1e-4))


def test_the_encoder_that_knows_is_the_one_that_drops(held_out):
    """Guards against a permutation that leaves planets their own embedding, or shuffles the wrong one."""
    depth = held_out.dataset.tensors["depth"][held_out.rows].numpy()
    score = held_out.score(depth, np.full_like(depth, 1e-4))
    drops = embedding_drops(ReadsAirs(), held_out, score=score, batch_size=3)
    assert abs(drops["fgs1"]) < 1e-9 and drops["airs"] > 0.5


def test_visits_that_stand_apart_keep_their_answers(held_out):
    """Guards against embeddings that come back in the order of the batches, in which a planet's visits stand
    together."""
    rows = np.r_[held_out.rows[1::2], held_out.rows[::2]]
    apart = HeldOut(held_out.dataset, rows, held_out.metric)
    depth = held_out.dataset.tensors["depth"][torch.as_tensor(rows)].numpy()
    sigma = np.full_like(depth, 1e-4)
    order = np.random.default_rng(5).permutation(len(rows))
    exchanged = np.empty_like(depth)
    exchanged[order] = depth[np.roll(order, 1)]
    drops = embedding_drops(ReadsAirs(), apart, score=0.5, batch_size=3, seed=5)
    assert drops["fgs1"] == pytest.approx(0.5 - apart.score(depth, sigma))
    assert drops["airs"] == pytest.approx(0.5 - apart.score(exchanged, sigma))


def test_one_row_has_no_other_to_take_from(held_out):
    """Guards against a drop of zero that is none."""
    alone = HeldOut(held_out.dataset, held_out.rows[:1], held_out.metric)
    assert all(np.isnan(value) for value in embedding_drops(ReadsAirs(), alone, score=0.5).values())
