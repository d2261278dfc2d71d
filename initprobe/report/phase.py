"""The phase diagram as a figure: phases, the critical line, contours of the depth scale, measured points."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from initprobe.records import Curve, PhaseDiagram
from initprobe.report.style import FAINT, INK, house_style
from initprobe.report.visible import plot_text, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

COLORS = {"ordered": "#0072B2", "chaotic": "#D55E00"}
FILLS = {"ordered": "#dcebf5", "chaotic": "#f9e5d6"}
"""Blue and vermilion of Okabe & Ito (2008), and their tints."""

NOTHING = "#ececec"
"""Where a signal explodes or vanishes."""

TALL, APART = 0.2, 0.055
"""Share of the figure that a contour crosses to be labelled, and the distance of two labels."""

NOTE = 92
"""Characters in a line of a note."""

MEANINGS = {"ordered": "inputs come together", "chaotic": "inputs part"}


def phase_figure(diagram: PhaseDiagram) -> Figure:
    """The plane of weight and bias variance: x is sigma_w², y is sigma_b²."""
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(5.6, 4.4), layout="constrained")
        axes = figure.add_subplot()
        _phases(axes, diagram)
        for curve in diagram.contours:
            _contour(axes, curve)
        _labels(axes, diagram)
        for curve in diagram.critical:
            _critical(axes, curve)
        _measured(axes, diagram)
        axes.set_xlim(0.0, diagram.weight_variance[-1])
        axes.set_ylim(0.0, diagram.bias_variance[-1])
        axes.set_xlabel(r"weight variance $\sigma_w^2$ (times fan-in)")
        axes.set_ylabel(r"bias variance $\sigma_b^2$")
        _title(axes, diagram)
        axes.grid(visible=False)
        _legend(figure, diagram)
    return figure


def _title(axes: Axes, diagram: PhaseDiagram) -> None:
    """The activation, and in small letters below why it has no critical line."""
    told = f"no critical line where a signal stays: {diagram.note}" if diagram.note else ""
    lines = textwrap.wrap(plot_text(told), NOTE)
    axes.set_title(plot_text(visible(diagram.activation)), pad=8 + 9.5 * len(lines))
    axes.annotate("\n".join(lines), (0.0, 1.015), xycoords="axes fraction", va="bottom", fontsize=7, color=FAINT)


def _phases(axes: Axes, diagram: PhaseDiagram) -> None:
    """The regions, by the sign of ln chi_1; grey where a signal does not stay."""
    logs = [[_log(value) for value in row] for row in diagram.chi]
    x, y = diagram.weight_variance, diagram.bias_variance
    axes.set_facecolor(NOTHING)
    axes.contourf(x, y, logs, levels=[-1e3, 0.0, 1e3], colors=[FILLS["ordered"], FILLS["chaotic"]], zorder=0)


def _log(chi: float) -> float:
    return math.nan if not math.isfinite(chi) else math.log(chi) if chi > 0.0 else -100.0


def _contour(axes: Axes, curve: Curve) -> None:
    axes.plot(curve.weight_variance, curve.bias_variance, color=COLORS[curve.kind], lw=0.8, alpha=0.9, zorder=2)


def _labels(axes: Axes, diagram: PhaseDiagram) -> None:
    """The depth scale on every contour that is long enough to carry it, where it crosses one height."""
    width, height = diagram.weight_variance[-1], diagram.bias_variance[-1]
    taken = [
        (x / width, y / height)
        for line in diagram.critical
        for x, y in zip(line.weight_variance, line.bias_variance, strict=True)
        if len(line.q) > 1
    ]
    for curve in diagram.contours:
        level = 0.86 if curve.kind == "ordered" else 0.3
        points = [
            (x / width, y / height)
            for x, y in zip(curve.weight_variance, curve.bias_variance, strict=True)
            if 0.02 * width < x < 0.97 * width and y <= 0.97 * height
        ]
        place = min(points, key=lambda point: abs(point[1] - level), default=None)
        tall = bool(points) and max(y for _, y in points) - min(y for _, y in points) > TALL
        if place is None or not tall or any(math.dist(place, other) < APART for other in taken):
            continue
        taken.append(place)
        axes.text(
            *place, f"{curve.depth:g}", transform=axes.transAxes, ha="center", va="center", fontsize=7, zorder=3,
            color=COLORS[curve.kind], bbox={"boxstyle": "round,pad=0.15", "fc": FILLS[curve.kind], "ec": "none"},
        )  # fmt: skip


def _critical(axes: Axes, curve: Curve) -> None:
    if len(curve.q) == 1:
        (x,), (y,) = curve.weight_variance, curve.bias_variance
        axes.plot([x], [y], color=INK, marker="o", markersize=6, clip_on=False, zorder=6, linestyle="none")
        return
    style = "-" if curve.stable else (0, (1, 1.5))
    axes.plot(curve.weight_variance, curve.bias_variance, color=INK, lw=1.9, linestyle=style, zorder=4)


def _measured(axes: Axes, diagram: PhaseDiagram) -> None:
    """What was measured: a triangle up where gradients grow, one down where they shrink, with the factor beside it."""
    from matplotlib.patheffects import withStroke

    width = diagram.weight_variance[-1]
    for point in diagram.measured:
        if point.measured is None:
            continue
        kind = "chaotic" if point.measured > 1.0 else "ordered"
        at = (point.weight_variance, point.bias_variance)
        marker = "^" if kind == "chaotic" else "v"
        axes.plot(*at, color=COLORS[kind], marker=marker, markersize=6, mec="white", mew=0.6, zorder=5, clip_on=False)
        left = point.weight_variance < 0.93 * width
        axes.annotate(
            f"{point.measured:.2f}", at, xytext=(4.5 if left else -4.5, 0), textcoords="offset points", va="center",
            ha="left" if left else "right", fontsize=6.5, color=INK, zorder=5,
            path_effects=[withStroke(linewidth=2.0, foreground="white", alpha=0.85)],
        )  # fmt: skip


def _legend(figure: Figure, diagram: PhaseDiagram) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: dict[str, Line2D | Patch] = {}
    seen = [value for row in diagram.chi for value in row if math.isfinite(value)]
    present = {"ordered": any(value < 1.0 for value in seen), "chaotic": any(value > 1.0 for value in seen)}
    for kind in (kind for kind, is_there in present.items() if is_there):
        handles[f"{kind}: {MEANINGS[kind]}"] = Patch(fc=FILLS[kind], ec=COLORS[kind], lw=0.6)
    if any(not math.isfinite(value) for row in diagram.chi for value in row):
        handles["the signal explodes"] = Patch(fc=NOTHING, ec=FAINT, lw=0.6)
    for curve in diagram.critical:
        if len(curve.q) == 1:
            handles[r"critical point, $\chi_1 = 1$"] = Line2D([], [], color=INK, marker="o", linestyle="none")
        elif curve.stable:
            handles[r"critical line, $\chi_1 = 1$"] = Line2D([], [], color=INK, lw=1.9)
        else:
            handles[r"$\chi_1 = 1$ where no signal stays"] = Line2D([], [], color=INK, lw=1.9, linestyle=(0, (1, 1.5)))
    if diagram.contours:
        depths = ", ".join(f"{depth:g}" for depth in sorted({curve.depth for curve in diagram.contours}))
        handles[rf"depth scale $\xi_c$: {depths}"] = Line2D([], [], color=FAINT, lw=0.8)
    if any(point.measured is not None for point in diagram.measured):
        handles[r"measured $\chi_1$ above 1"] = _marker("chaotic", "^")
        handles[r"measured $\chi_1$ below 1"] = _marker("ordered", "v")
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)


def _marker(kind: str, marker: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=COLORS[kind], marker=marker, linestyle="none", markersize=6, mec="white")
