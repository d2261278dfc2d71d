"""What residual branches do to the stream that they are added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from initprobe.records.estimate import Estimate

GrowthLaw = Literal["constant", "linear", "exponential"]


@dataclass(frozen=True, slots=True)
class ResidualBlock:
    """One residual join over all seeds.

    Attributes:
        branch: index of the branch in the Anatomy.
        block: path of the module that holds it.
        join: key of the site that shows the sum.
        ratio: standard deviation of what the branch adds over that of what it is added to.
        variance: of the sum.
    """

    branch: int
    block: str
    join: str
    ratio: Estimate | None
    variance: Estimate


@dataclass(frozen=True, slots=True)
class Growth:
    """How the variance of a stream grows from join to join.

    Attributes:
        law: ``constant``, ``linear`` (independent branches of equal size, or a normalization in front of each) or
            ``exponential`` (each branch adds a share of the stream).
        per_block: what a join adds, in units of the first join's variance (``linear``); what it multiplies with
            (``exponential``); 1 (``constant``).
        total: variance at the last join over that at the first one; a join behind a projection is not counted.
    """

    law: GrowthLaw
    per_block: float
    total: float


@dataclass(frozen=True, slots=True)
class ResidualStream:
    """The joins of one stream, in order; a projection shortcut starts a new one.

    Attributes:
        label: ``layer1.0 … layer1.2``.
        blocks: one per join and branch.
        growth: None where fewer than three joins carry the stream on, or where no variance is finite.
    """

    label: str
    blocks: tuple[ResidualBlock, ...]
    growth: Growth | None = None
