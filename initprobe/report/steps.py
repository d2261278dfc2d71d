"""The table over time steps: how the RMS of each recurrent layer runs from the first step to the last."""

from __future__ import annotations

import math

from initprobe.records import Entry, SiteSummary
from initprobe.report.layers import site_label
from initprobe.report.options import RenderOptions
from initprobe.report.sparkline import Scale
from initprobe.report.streams import BOTH, Side
from initprobe.report.tables import ARROWS, Cell, Column, Grid, legend_of, rms_cells

STATISTIC = "rms_by_step"


def step_table(entry: Entry, options: RenderOptions, sides: tuple[Side, ...] = BOTH) -> Grid:
    """One row per site that runs over time; no rows where the statistic was not asked for."""
    sites = [summary for summary in entry.sites if _run(summary, "forward") or _run(summary, "backward")]
    runs = {side: [_run(summary, side) or [None] for summary in sites] for side in BOTH}
    values = [value for side in BOTH for run in runs[side] for value in run if value is not None]
    scale = Scale.over(values)
    columns = [Column("over time"), Column("steps", right=True)]
    cells: list[list[Cell]] = [
        [(site_label(summary.site.key), "plain") for summary in sites],
        [(str(max(len(runs[side][place]) for side in BOTH)), "dim") for place in range(len(sites))],
    ]
    for side in sides:
        if any(value is not None for run in runs[side] for value in run):
            columns.append(Column(f"RMS first {ARROWS[side]} last", side))
            cells.append([(text, "plain") for text in rms_cells(runs[side], scale, unicode=options.unicode)])
    legend = legend_of(scale, values, unicode=options.unicode) if sites else ""
    return Grid(tuple(columns), tuple(zip(*cells, strict=True)), legend)


def _run(summary: SiteSummary, side: Side) -> list[float | None]:
    statistics = summary.forward if side == "forward" else summary.backward
    found = (statistics or {}).get(STATISTIC)
    return [None if math.isnan(value) else value for value in found] if isinstance(found, tuple) else []
