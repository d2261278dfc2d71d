"""What the figures over depth share: curves on a logarithmic axis, and an axis that names groups of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from initprobe.report.depth import Group, Point, axis_label, site_groups
from initprobe.report.style import FAINT, INK, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EVERY_NAME = 14
"""Up to this many sites each one has its name under the axis; beyond, groups have."""

_CHARACTER = 0.075
"""Width of a character under the axis, in inches."""

_TICK = 0.34
"""Room that a number under the axis needs, in inches."""

_LEGEND = 118
"""Characters that fit under the figure, beside nine for each sample and its margin."""

_LEAST = 1e-200
"""What is smaller, or larger than its inverse, is off the scale: matplotlib's ticks overflow near float64's end."""

THEORY = "theory"
"""What the dashed line is called in a legend."""

_STEPS = [factor * 10**power for power in range(10) for factor in (1, 2, 5)]


def curve(axes: Axes, xs: Sequence[float], points: Sequence[Point | None], look: Look, label: str) -> None:
    """A line over the means with the range of the seeds behind it.

    A logarithmic axis has no place for zeros and for what is not finite: they interrupt the line and stand as
    triangles on the lower and the upper edge.
    """
    means = [_drawable(point.mean) if point else math.nan for point in points]
    lows = [_drawable(point.low) if point else math.nan for point in points]
    highs = [_drawable(point.high) if point else math.nan for point in points]
    marker = "o" if len(xs) <= _EVERY_NAME or _has_lonely(means) else None
    axes.plot(xs, means, color=look.color, linestyle=look.dashes, marker=marker, label=label)
    axes.fill_between(xs, lows, highs, color=look.color, alpha=look.shade, linewidth=0)
    edges(axes, xs, points, look)


def theory(axes: Axes, xs: Sequence[float], values: Sequence[float | None]) -> None:
    """What theory expects, as a thin dashed line over the curves."""
    drawn = [math.nan if value is None else _drawable(value) for value in values]
    if any(map(math.isfinite, drawn)):
        axes.plot(xs, drawn, color=INK, linestyle=(0, (4, 2)), lw=0.9, zorder=4, label=THEORY)


def dots(axes: Axes, xs: Sequence[float], points: Sequence[Point | None], look: Look, label: str) -> None:
    """Means as small dots without a line, for sites beside the stream."""
    means = [_drawable(point.mean) if point else math.nan for point in points]
    axes.plot(xs, means, color=look.color, linestyle="none", marker=".", markersize=3, alpha=0.55, label=label)
    edges(axes, xs, points, look)


def edges(axes: Axes, xs: Sequence[float], points: Sequence[Point | None], look: Look) -> None:
    """Triangles for means that a logarithmic axis cannot show."""
    for stays_out, y, marker in ((_below, 0.0, "v"), (_above, 1.0, "^")):
        places = [x for x, point in zip(xs, points, strict=True) if point and stays_out(point.mean)]
        if places:  # an artist without points would still take room at the figure's corner
            edge = axes.plot(places, [y] * len(places), transform=axes.get_xaxis_transform())[0]
            edge.set(color=look.color, marker=marker, linestyle="none", markersize=5, clip_on=False, zorder=5)


def legend(figure: Figure, points: Sequence[Point | None], *, names: bool) -> None:
    """One legend under all panels: the curves (where names tell something), the seeds' range, the triangles."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    curves = dict(zip(*reversed(figure.axes[0].get_legend_handles_labels()), strict=True))
    curves = curves if names else {name: drawn for name, drawn in curves.items() if name == THEORY}
    known = [point for point in points if point]
    if any(point.low < point.high for point in known):
        curves["range over the seeds"] = Patch(color=FAINT, alpha=0.3, lw=0)
    for stays_out, marker, usual in ((_above, "^", math.isfinite), (_below, "v", bool)):
        found = [point.mean for point in known if stays_out(point.mean)]
        if found:
            name = "off the scale" if any(map(usual, found)) else "not finite" if marker == "^" else "zero"
            curves[name] = Line2D([], [], color=FAINT, marker=marker, linestyle="none")
    if curves:
        columns = max(1, min(4, len(curves), _LEGEND // (max(map(len, curves)) + 9)))
        figure.legend(curves.values(), curves.keys(), loc="outside lower center", ncols=columns)


def log_axis(axes: Axes, points: Sequence[Point | None], *, least: float, also: Sequence[float] = ()) -> None:
    """A logarithmic y axis over the points with their ranges, at least ``least`` decades wide: noise stays flat."""
    values = [value for point in points if point for value in (point.mean, point.low, point.high)]
    logs = [math.log10(value) for value in (*values, *also) if not (_above(value) or _below(value))]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    margin = max(0.06 * (high - low), (least - (high - low)) / 2)
    axes.set_ylim(10 ** (low - margin), 10 ** (high + margin))
    axes.set_yscale("log")  # after the limits: autoscaling would overflow beyond 1e280
    _decade_ticks(axes, high - low + 2 * margin)
    if not logs:
        axes.text(0.5, 0.5, "no finite value above zero", transform=axes.transAxes, ha="center", color=FAINT)


def _decade_ticks(axes: Axes, decades: float) -> None:
    from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator

    axes.yaxis.set_minor_locator(NullLocator())
    if decades < 3:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]) if decades < 1 else LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))


def depth_axis(axes: Axes, keys: Sequence[str]) -> None:
    """Name what stands along x: every site where they are few, groups of repeated layers where they are many."""
    axes.set_xlim(-0.5, len(keys) - 0.5)
    if len(keys) <= _EVERY_NAME:
        names = [axis_label(key) for key in keys]
        axes.set_xticks(range(len(keys)), names, rotation=35, ha="right", rotation_mode="anchor")
        return
    groups, per_site = site_groups(keys), axes.bbox.width / axes.figure.dpi / len(keys)
    ticks = [tick for group in groups for tick in _ticks(group, per_site)]
    axes.set_xticks([place for _, place in ticks], [str(index) for index, _ in ticks])
    transform = axes.get_xaxis_transform()
    for group, level in _levels(groups, per_site):
        y = -0.13 - 0.1 * level
        ends = (group.first - 0.35, group.last + 0.35)
        axes.plot(ends, (y, y), transform=transform, color=FAINT, lw=0.9, clip_on=False)
        axes.text(sum(ends) / 2, y - 0.015, group.label, transform=transform, ha="center", va="top")


def _ticks(group: Group, per_site: float) -> list[tuple[int, int]]:
    """Round indices within a group, as many as find room side by side: index and place of each."""
    room = (group.last - group.first + 1) * per_site / _TICK
    if room < 1:
        return []
    step = next(step for step in _STEPS if len(group.starts) / step <= room)
    return [(index, place) for index, place in group.starts if index % step == 0]


def _levels(groups: Sequence[Group], per_site: float) -> list[tuple[Group, int]]:
    """The groups whose labels find room, each with the line (0 or 1) that it stands on; large groups come first."""
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    placed = []
    for group in sorted(groups, key=lambda group: group.first - group.last):
        middle = (group.first + group.last) / 2 * per_site
        half = (len(group.label) + 1) * _CHARACTER / 2
        for level, spans in enumerate(taken):
            if all(middle + half < left or right < middle - half for left, right in spans):
                spans.append((middle - half, middle + half))
                placed.append((group, level))
                break
    return placed


def _drawable(value: float) -> float:
    return math.nan if _above(value) or _below(value) else value


def _above(value: float) -> bool:
    return not value <= 1 / _LEAST


def _below(value: float) -> bool:
    return value < _LEAST


def _has_lonely(means: Sequence[float]) -> bool:
    """Whether a value stands between two gaps, where a line alone would not show it."""
    padded = [math.nan, *means, math.nan]
    return any(
        not math.isnan(here) and math.isnan(before) and math.isnan(after)
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    )
