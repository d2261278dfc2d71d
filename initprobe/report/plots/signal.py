"""The picture of a network's health: how large the signal and the gradient are along its depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from initprobe.records import Entry
from initprobe.report.canvas import curve, depth_axis, dots, legend, log_axis, theory
from initprobe.report.depth import Point, drawn_sites, expected_at, rms_at
from initprobe.report.plots.base import plot
from initprobe.report.story import curve_labels, figure_title, panel_title
from initprobe.report.streams import BOTH, Side
from initprobe.report.style import FAINT, Look, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STREAM = 4
"""From this many residual joins on, they are the line and the weights inside the branches are dots beside it."""


@plot("signal")
def signal(entries: Sequence[Entry]) -> Figure | None:
    """RMS of the signal and of the gradient at every weight and residual join, by depth."""
    from matplotlib.figure import Figure

    sides = [side for side in BOTH if any(point for entry in entries for point in _points(entry, side))]
    if not sides:
        return None
    figure = Figure(figsize=(7.2, 1.1 + 2.3 * len(sides)), layout="constrained")
    panels = figure.subplots(len(sides), 1, sharex=True, squeeze=False)[:, 0]
    labels, styles = curve_labels(entries), looks(len(entries))
    for side, axes in zip(sides, panels, strict=True):
        for entry, style, label in zip(entries, styles, labels, strict=True):
            _draw(axes, entry, side, style, label)
        log_axis(axes, [point for entry in entries for point in _points(entry, side)], least=1.5)
        axes.set_title(panel_title(entries, side))
        axes.set_ylabel("RMS of the signal" if side == "forward" else "RMS of the gradient")
    longest = max((drawn_sites(entry) for entry in entries), key=len)
    depth_axis(panels[-1], [summary.site.key for summary in longest])
    figure.suptitle(figure_title(entries), x=0.01, ha="left", color=FAINT)
    everything = [point for side in sides for entry in entries for point in _points(entry, side)]
    legend(figure, everything, names=len(entries) > 1 or any(_joins(entry) for entry in entries))
    return figure


def _draw(axes: Axes, entry: Entry, side: Side, style: Look, label: str) -> None:
    points, joins = _points(entry, side), _joins(entry)
    expected = [expected_at(summary, side) for summary in drawn_sites(entry)]
    if not joins:
        curve(axes, range(len(points)), points, style, label)
        theory(axes, range(len(points)), expected)
        return
    theory(axes, joins, [expected[place] for place in joins])
    inside = sorted(set(range(len(points))) - set(joins))
    curve(axes, joins, [points[place] for place in joins], style, f"{label}: residual stream")
    dots(axes, inside, [points[place] for place in inside], style, f"{label}: other weights")


def _points(entry: Entry, side: Side) -> list[Point | None]:
    return [rms_at(summary, side) for summary in drawn_sites(entry)]


def _joins(entry: Entry) -> list[int]:
    """The places of the residual stream, where there is one."""
    places = [place for place, summary in enumerate(drawn_sites(entry)) if summary.site.kind == "join"]
    return places if len(places) >= _STREAM else []
