"""Shards of simulated visits, drawn by worker processes while the last few are learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass

from spectramind_kit.runtime import cpu_count
from spectramind_kit.training.dataset import VisitDataset
from spectramind_kit.training.normaliser import Normaliser
from spectramind_kit.training.simulated_visits import simulated_visits
from spectramind_kit.worker_processes import worker_pool

_AHEAD = 2  # shards that are drawn before they are needed


@dataclass(frozen=True)
class Shards:
    """Shard k of a seed is always the same."""

    planets: int  # of a shard
    seed: int
    replay: int  # epochs in which a shard is read
    normaliser: Normaliser

    @contextmanager
    def epochs(self, first: int, end: int, *, workers: int = 0) -> Iterator[Iterator[list[VisitDataset]]]:
        """For each epoch from ``first``, the last ``replay`` shards. ``workers`` 0: all cores but one."""
        with worker_pool(workers or max(1, cpu_count() - 1), task="simulated planets") as pool:
            yield self._epochs(pool, first, end)

    def _epochs(self, pool: Executor | None, first: int, end: int) -> Iterator[list[VisitDataset]]:
        kept: deque[VisitDataset] = deque(maxlen=self.replay)
        ahead: deque[Future | None] = deque()
        start = drawn = max(0, first - self.replay + 1)
        for epoch in range(start, end):
            # after an interruption the shards of the epochs before are drawn again, all at once
            while drawn < min(max(epoch, first) + 1 + _AHEAD, end):
                ahead.append(
                    None if pool is None else pool.submit(draw_shard, self.planets, self.seed, drawn)
                )
                drawn += 1
            future = ahead.popleft()
            rows, labels = draw_shard(self.planets, self.seed, epoch) if future is None else future.result()
            kept.append(VisitDataset(rows, normaliser=self.normaliser, depth=labels))
            if epoch >= first:
                yield list(kept)


def draw_shard(planets: int, seed: int, shard: int):
    """`simulated_visits`, with one thread."""
    import torch

    torch.set_num_threads(1)
    return simulated_visits(planets, seed=seed, shard=shard)
