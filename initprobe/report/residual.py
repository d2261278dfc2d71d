"""The table of residual streams: how much each branch adds, and how the variance grows."""

from __future__ import annotations

from collections.abc import Sequence

from initprobe.records import Entry, Growth, ResidualStream
from initprobe.report.numbers import from_to, number
from initprobe.report.tables import NOTHING, Cell, Column, Grid
from initprobe.report.visible import visible


def residual_table(entry: Entry) -> Grid:
    """One row per stream, from its first join to its last one."""
    columns = (
        Column("residual stream"),
        Column("n", right=True),
        Column("branch / skip"),
        Column("variance"),
        Column("growth"),
    )
    return Grid(columns, tuple(_row(stream) for stream in entry.residual))


def _row(stream: ResidualStream) -> tuple[Cell, ...]:
    ratios = [block.ratio.mean for block in stream.blocks if block.ratio is not None]
    texts = (
        visible(stream.label),
        str(len({block.join for block in stream.blocks})),
        _from_to(ratios),
        _from_to([block.variance.mean for block in stream.blocks]),
        growth_text(stream.growth),
    )
    return tuple((text, "plain") for text in texts)


def _from_to(values: Sequence[float]) -> str:
    return from_to([number(value) for value in values]) if values else NOTHING


def growth_text(growth: Growth | None) -> str:
    """``linear, +0.31 of the first per join``."""
    if growth is None:
        return NOTHING
    if growth.law == "linear":
        sign = "+" if growth.per_block >= 0 else "-"
        return f"linear, {sign}{number(abs(growth.per_block))} of the first per join"
    return "constant" if growth.law == "constant" else f"exponential, ×{number(growth.per_block)} per join"
