"""Matrices that are packed into one parameter (gates, or query, key and value) are drawn one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from initprobe.records import Attention, Part, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.variates import Variates

ATTENTION: tuple[Attention, ...] = ("query", "key", "value")


def part_weight(weight: Weight, part: Part) -> Weight:
    """The record of one part as if it were a parameter of its own; its only part tells which one it is."""
    shape = (*weight.shape[: part.axis], part.size, *weight.shape[part.axis + 1 :])
    alone = replace(part, ranges=((0, part.size),))
    attention = next((one for one in ATTENTION if one == part.name), weight.attention)
    return replace(weight, shape=shape, fan_in=part.fan_in, fan_out=part.fan_out, parts=(alone,), attention=attention)


def parts_of(weight: Weight, variates: Variates) -> Iterator[tuple[Part, Weight, Variates]]:
    """Every part with its record and its base variates."""
    from initprobe.variates import PartVariates

    @cache
    def whole(kind: str) -> Tensor:
        return variates.normal(weight.shape) if kind == "normal" else variates.uniform(weight.shape)

    for part in weight.parts:
        record = part_weight(weight, part)

        def share(kind: str, part: Part = part) -> Tensor:
            return whole(kind).index_select(part.axis, rows(part))

        yield part, record, PartVariates(variates.seed, variates.name, part.name, record.shape, share)


def rows(part: Part) -> Tensor:
    """Where a part lies on its axis."""
    import torch

    return torch.cat([torch.arange(start, stop) for start, stop in part.ranges])


def covered(weight: Weight) -> bool:
    """Whether the parts make up the whole parameter."""
    if not weight.parts:
        return False
    return math.prod(weight.shape) > 0 and sum(part.size for part in weight.parts) == weight.shape[weight.parts[0].axis]
