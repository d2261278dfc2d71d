"""What is judged: the gain of each layer, beside the band that a healthy network stays in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from initprobe.records import Entry, Estimate, Gain, Segment, StatisticSummary
from initprobe.report.canvas import THEORY, curve, depth_axis, legend, log_axis
from initprobe.report.depth import Point
from initprobe.report.plots.base import plot
from initprobe.report.story import curve_labels, figure_title, panel_title
from initprobe.report.streams import BOTH, Side, gain_of, longest_segment, segment_sites
from initprobe.report.style import BAND_INNER, BAND_OUTER, FAINT, INK, looks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRIFT_LIMITS = {"warning": 10.0, "error": 1000.0}
"""The change over a whole stream that is judged, where the request says nothing else."""

_UNKNOWN = Point(math.nan, math.nan, math.nan)


@plot("gain")
def gain(entries: Sequence[Entry]) -> Figure | None:
    """Gain per layer along the longest stream, with the range of the seeds and the allowed band."""
    from matplotlib.figure import Figure

    streams = {place: found for place, entry in enumerate(entries) if (found := longest_segment(entry))}
    gains = {side: {place: _gains(entries[place], streams[place], side) for place in streams} for side in BOTH}
    sides = [side for side in BOTH if any(gains[side].values())]
    if not sides:
        return None
    figure = Figure(figsize=(7.2, 1.1 + 2.3 * len(sides)), layout="constrained")
    panels = figure.subplots(len(sides), 1, sharex=True, squeeze=False)[:, 0]
    labels, styles = curve_labels(entries), looks(len(entries))
    longest = max(streams, key=lambda place: len(streams[place].sites))
    keys = streams[longest].sites
    for side, axes in zip(sides, panels, strict=True):
        edges = _bands(axes, entries[longest], side, len(keys))
        for place, points in gains[side].items():
            curve(axes, range(1, len(points) + 1), points, styles[place], labels[place])
        if len(entries) == 1:
            _fitted(axes, gain_of(streams[0], side))
        log_axis(axes, [point for points in gains[side].values() for point in points], least=0.1, also=edges)
        axes.set_title(panel_title(entries, side))
        axes.set_ylabel("gain per layer" if side == "forward" else "gain per layer,\ntowards the input")
    depth_axis(panels[-1], keys)
    figure.suptitle(figure_title(entries), x=0.01, ha="left", color=FAINT)
    legend(figure, [point for side in sides for points in gains[side].values() for point in points], names=True)
    return figure


def _gains(entry: Entry, segment: Segment, side: Side) -> list[Point]:
    """The factor of each step along a stream; of a gradient from the output to the input."""
    sites = segment_sites(entry, segment)
    statistics = [summary.forward if side == "forward" else summary.backward or {} for summary in sites]
    found = [each.get("rms") for each in statistics]
    steps = list(pairwise(found) if side == "forward" else ((after, before) for before, after in pairwise(found)))
    points = [_step(start, end) for start, end in steps]
    return points if any(point != _UNKNOWN for point in points) else []


def _step(start: StatisticSummary | None, end: StatisticSummary | None) -> Point:
    if not isinstance(start, Estimate) or not isinstance(end, Estimate):
        return _UNKNOWN
    if len(start.per_seed) != len(end.per_seed) or len(start.per_seed) < 2:
        ratio = _ratio(start.mean, end.mean)
        return Point(ratio, ratio, ratio)
    ratios = [_ratio(before, after) for before, after in zip(start.per_seed, end.per_seed, strict=True)]
    if not all(math.isfinite(ratio) and ratio > 0 for ratio in ratios):
        return Point(_ratio(start.mean, end.mean), math.nan, math.nan)
    return Point(math.exp(sum(map(math.log, ratios)) / len(ratios)), min(ratios), max(ratios))


def _ratio(start: float, end: float) -> float:
    if start == 0:
        return math.nan if end == 0 or math.isnan(end) else math.inf
    return end / start


def _bands(axes: Axes, entry: Entry, side: Side, layers: int) -> list[float]:
    """Shade where the gain may lie so that the whole stream stays inside its limits; answer with the edges."""
    given = dict(entry.request.check.thresholds)
    edges: list[float] = []
    for level, color, name in (("warning", BAND_INNER, "pass"), ("error", BAND_OUTER, "warning")):
        limit = given.get(f"{side}_drift.{level}", DRIFT_LIMITS[level])
        edge = limit ** (1 / max(1, layers - 1))
        label = f"{name}: ×{limit:g} over {layers} layers"
        axes.axhspan(1 / edge, edge, color=color, lw=0, zorder=-len(edges), label=label)
        edges += [1 / edge, edge]
    axes.axhline(1.0, color=FAINT, lw=0.8, zorder=1)
    return edges


def _fitted(axes: Axes, fitted: Gain | None) -> None:
    """The one number that is judged, with its interval."""
    if fitted is not None and fitted.status != "unjudged":
        found = fitted.per_layer
        axes.axhline(found.mean, color=INK, lw=1.2, linestyle=(0, (4, 2)), label="fitted gain per layer")
        axes.axhspan(found.low, found.high, color=INK, alpha=0.12, lw=0)
        if fitted.expected is not None:
            axes.axhline(fitted.expected, color=INK, lw=0.9, linestyle=(0, (1, 2)), label=f"{THEORY} of these weights")
