"""The signal-propagation plot of residual networks (Brock, De & Smith 2021, figures 1 to 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from initprobe.records import Entry, Estimate, ResidualBlock, SiteSummary
from initprobe.report.canvas import curve, depth_axis, legend, log_axis
from initprobe.report.depth import Point
from initprobe.report.plots.base import plot
from initprobe.report.story import curve_labels, figure_title
from initprobe.report.style import FAINT, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST = 2
"""Joins that make a depth."""

_WIDE = 100.0
"""From this ratio of the largest to the middle value on, the axis is logarithmic."""

Reading = Callable[[Entry, ResidualBlock], Point | None]


@plot("propagation", statistics=("channel_mean", "channel_std"))
def propagation(entries: Sequence[Entry]) -> Figure | None:
    """Average channel squared mean, average channel variance and branch variance at every residual join."""
    from matplotlib.figure import Figure

    runs = [_blocks(entry) for entry in entries]
    panels = [
        (title, [[read(entry, block) for block in run] for entry, run in zip(entries, runs, strict=True)])
        for title, read in _PANELS
    ]
    shown = [(title, rows) for title, rows in panels if any(point for row in rows for point in row)]
    if max(map(len, runs)) < _FEWEST or not shown:
        return None
    figure = Figure(figsize=(7.2, 1.1 + 1.9 * len(shown)), layout="constrained")
    axes_of = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    labels, styles = curve_labels(entries), looks(len(entries))
    for axes, (title, rows) in zip(axes_of, shown, strict=True):
        for row, style, label in zip(rows, styles, labels, strict=True):
            curve(axes, range(len(row)), row, style, label)
        _scale(axes, [point for row in rows for point in row])
        axes.set_title(title)
        axes.set_ylabel("squared mean" if "mean" in title else "variance")
    depth_axis(axes_of[-1], [block.join for block in max(runs, key=len)])
    figure.suptitle(figure_title(entries), x=0.01, ha="left", color=FAINT)
    legend(figure, [point for _, rows in shown for row in rows for point in row], names=len(entries) > 1)
    return figure


def _blocks(entry: Entry) -> list[ResidualBlock]:
    """By depth: a stream inside of a branch lies between two joins of the one around it."""
    order = {summary.site.key: summary.site.order for summary in entry.sites}
    blocks = [block for stream in entry.residual for block in stream.blocks]
    return sorted(blocks, key=lambda block: order.get(block.join, 0))


def _squared(key: str | None, statistic: str, entry: Entry) -> Point | None:
    found = _site(entry, key)
    estimate = None if found is None else found.forward.get(statistic)
    if not isinstance(estimate, Estimate):
        return None
    # Beyond the square root of float64's range a square is off every scale.
    values = [value * value if abs(value) < 1e150 else math.inf for value in estimate.per_seed or (estimate.mean,)]
    finite = [value for value in values if math.isfinite(value)]
    mean = sum(values) / len(values)
    return Point(mean, min(finite), max(finite)) if finite else Point(mean, mean, mean)


def _site(entry: Entry, key: str | None) -> SiteSummary | None:
    return next((summary for summary in entry.sites if summary.site.key == key), None)


def _branch_end(entry: Entry, block: ResidualBlock) -> str | None:
    return next((branch.end for branch in entry.branches if branch.index == block.branch), None)


_PANELS: tuple[tuple[str, Reading], ...] = (
    ("Average channel squared mean", lambda entry, block: _squared(block.join, "channel_mean", entry)),
    ("Average channel variance", lambda entry, block: _squared(block.join, "channel_std", entry)),
    (
        "Residual branch variance, at the end of the branch",
        lambda entry, block: _squared(_branch_end(entry, block), "channel_std", entry),
    ),
)


def _scale(axes: Axes, points: Sequence[Point | None]) -> None:
    """From zero where that shows everything: linear growth is a line there."""
    means = [point.mean for point in points if point]
    if not all(map(math.isfinite, means)) or not 0 < max(means) <= _WIDE * median(means):
        log_axis(axes, points, least=1.0)
        return
    axes.set_ylim(0.0, 1.08 * max(point.high for point in points if point))
