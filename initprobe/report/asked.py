"""The tables of the statistics that were asked for by name (``--statistics``, or ``statistics:`` in a config)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from initprobe.records import Entry, Estimate, StatisticSummary
from initprobe.report.layers import layer_rows, weight_rows
from initprobe.report.numbers import from_to, number
from initprobe.report.options import RenderOptions
from initprobe.report.tables import NOTHING, Cell, Column, Grid

Found = Mapping[str, StatisticSummary] | None
Sides = Mapping[str, Found]
"""What was measured of one member of a row, by the word above its columns."""


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    members: tuple[Sides, ...]


def asked_tables(entry: Entry, options: RenderOptions) -> tuple[Grid, ...]:
    """One table for call sites and one for parameters, of the scalar statistics asked for; absent where none is there.

    A row folds like the layer table's; its cells go from its first member to its last one.
    """
    sites = [
        _Row(row.label, tuple({"forward": one.forward, "backward": one.backward} for one in row.sites))
        for row in layer_rows(entry, options.layers)
    ]
    weights = [
        _Row(row.label, tuple({"value": one.value, "gradient": one.gradient} for one in row.weights))
        for row in weight_rows(entry, options.layers)
    ]
    names = tuple(dict.fromkeys(entry.request.probe.statistics))
    grids = (_grid("layers", sites, names), _grid("parameters", weights, names))
    return tuple(grid for grid in grids if grid.rows)


def _grid(head: str, rows: Sequence[_Row], names: Sequence[str]) -> Grid:
    sides = dict.fromkeys(side for row in rows for member in row.members for side in member)
    wanted = [(side, name) for side in sides for name in names]
    texts = {place: [_from_to(row, *place) for row in rows] for place in wanted}
    wanted = [place for place in wanted if any(texts[place])]
    kept = [index for index in range(len(rows)) if any(texts[place][index] for place in wanted)]
    columns = (Column(head), Column("n", right=True), *(Column(name, side) for side, name in wanted))
    return Grid(columns, tuple(_cells(rows[index], [texts[place][index] for place in wanted]) for index in kept))


def _cells(row: _Row, texts: Sequence[str]) -> tuple[Cell, ...]:
    return ((row.label, "plain"), (str(len(row.members)), "dim"), *((text, "plain") for text in texts))


def _from_to(row: _Row, side: str, name: str) -> str:
    """``0.85 → 0.49``, one number of a single member, and nothing where it was not measured."""
    found = [(member.get(side) or {}).get(name) for member in row.members]
    means = [one.mean for one in found if isinstance(one, Estimate)]
    return from_to([_number(mean) for mean in means]) if means else ""


def _number(value: float) -> str:
    return NOTHING if math.isnan(value) else number(value)
