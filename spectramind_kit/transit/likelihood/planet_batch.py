"""Planets side by side: records whose every tensor has one row per planet, and their light curves as one.

A record is a dataclass of tensors (N, ...), of other records, and of plain values that all planets share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from spectramind_kit.transit.likelihood.visit_data import VisitData

Record = TypeVar("Record")


def _on_tensors(function: Callable[..., Tensor], *records: Record) -> Record:
    """The first record with ``function`` applied to the tensors in the same place of all."""
    changed = {}
    for f in fields(records[0]):  # type: ignore[arg-type]
        values = [getattr(r, f.name) for r in records]
        if isinstance(values[0], Tensor):
            changed[f.name] = function(*values)
        elif is_dataclass(values[0]):
            changed[f.name] = _on_tensors(function, *values)
    return replace(records[0], **changed)  # type: ignore[type-var]


def take(record: Record, index: Tensor | Sequence[int] | slice | int) -> Record:
    """Some planets of a record (indices, a mask, a slice), or one without its batch axis (an int)."""
    return _on_tensors(lambda value: value[index], record)


def join(records: Sequence[Record]) -> Record:
    """Planets of several records, one after another."""
    return records[0] if len(records) == 1 else _on_tensors(lambda *values: torch.cat(values), *records)


def choose(mask: Tensor, new: Record, old: Record) -> Record:
    """``new`` where ``mask`` (N,) is true, ``old`` elsewhere; records or bare tensors."""
    if bool(mask.all()):
        return new

    def pick(a: Tensor, b: Tensor) -> Tensor:
        return a if a is b else torch.where(mask.reshape(-1, *[1] * (a.dim() - 1)), a, b)

    return pick(new, old) if isinstance(new, Tensor) else _on_tensors(pick, new, old)


def put(record: Record, index: Tensor, rows: Record) -> Record:
    """The record with ``rows`` in the places ``index`` (whole numbers)."""
    return _on_tensors(lambda whole, part: whole.index_copy(0, index, part), record, rows)


def to_device(record: Record, device: torch.device | str) -> Record:
    return _on_tensors(lambda value: value.to(device), record)


@dataclass(frozen=True)
class LightCurveBatch:
    """Light curves of N planets with V visits each. Time is the last axis: sums over it run along memory."""

    time: Tensor  # (N, V, T) h
    flux: Tensor  # (N, V, W, T) e- per exposure
    weight: Tensor  # (N, V, W, T) 1/sigma^2, zero where a point is missing or padded
    exposure_h: Tensor  # (N, V)
    start: Tensor  # (N, V) h, first bin centre of the light curve as it was given
    end: Tensor  # (N, V) h, the last one


def stack_visits(planets: Sequence[Sequence[VisitData]]) -> LightCurveBatch:
    """Visits of several planets, V each, as one batch; shorter ones are padded with points of no weight."""
    length = max(len(visit.time) for visits in planets for visit in visits)

    def padded(value: Tensor) -> Tensor:  # (T, ...) -> (..., length), the last point repeated
        short = length - len(value)
        value = torch.cat([value, value[-1:].expand(short, *value.shape[1:])]) if short else value
        return value.T if value.dim() > 1 else value

    def weight(visit: VisitData) -> Tensor:
        full = padded(visit.weight).clone()
        full[..., len(visit.time) :] = 0.0
        return full

    def stacked(of: Callable[[VisitData], Tensor | float]) -> Tensor:
        rows = [[torch.as_tensor(of(visit), dtype=torch.float64) for visit in visits] for visits in planets]
        return torch.stack([torch.stack(row) for row in rows]).contiguous()

    return LightCurveBatch(
        time=stacked(lambda v: padded(v.time)),
        flux=stacked(lambda v: padded(v.flux)),
        weight=stacked(weight),
        exposure_h=stacked(lambda v: v.exposure_h),
        start=stacked(lambda v: v.span[0]),
        end=stacked(lambda v: v.span[1]),
    )
