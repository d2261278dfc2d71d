"""How the values themselves are spread, layer by layer, and whether a smaller number type would hold them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from initprobe.records import Entry, SiteSummary
from initprobe.report.canvas import depth_axis
from initprobe.report.depth import drawn_sites
from initprobe.report.plots.base import plot
from initprobe.report.story import entry_names, figure_title
from initprobe.report.streams import BOTH, Side
from initprobe.report.style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_BIAS = 127
"""Bin b counts values in [2^(b - 127), 2^(b - 126)); bin 0 zeros and subnormals, bin 255 what is not finite."""

_FLOAT16 = range(-24, 16)
"""Exponents that float16 holds, its subnormals included (IEEE 754 binary16: up to 65504)."""

_LIMITS = {
    16: "float16 overflows",
    -14: "float16 loses digits",
    -24: "float16 underflows",
    -126: "bfloat16 loses digits",
}
"""Powers of two at which a type ends; bfloat16 overflows where float32 does."""

_MARGIN = 2
_TICKS = 9
_FAINTEST = 1e-5
"""Shares below this have the darkest colour; an empty bin has none."""

Counts = list[tuple[float, ...] | None]


@plot("exponents", statistics=("exponents",))
def exponents(entries: Sequence[Entry]) -> Figure | None:
    """Layer by exponent histogram of the values and gradients, with the limits of float16 and bfloat16."""
    from matplotlib.figure import Figure

    table = [{side: counts for side in BOTH if any(counts := _counts(entry, side))} for entry in entries]
    sides = [side for side in BOTH if any(side in row for row in table)]
    if not sides:
        return None
    single = len(entries) == 1
    rows, columns = (len(sides), 1) if single else (len(entries), len(sides))
    figure = Figure(figsize=(7.2 if columns == 1 else 10.5, 1.2 + 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).reshape(len(entries), len(sides))
    everything = [counts for row in table for counts in row.values()]
    exponent_range = _range(everything)
    for place, name in enumerate(entry_names(entries)):
        for axes, side in zip(grid[place], sides, strict=True):
            if side not in table[place]:
                axes.remove()
                continue
            image = _heat(axes, table[place][side], exponent_range)
            who = side.capitalize() if single else f"{name}, {side}"
            axes.set_title(f"{who}: {_fitting(table[place][side])} of the values fit float16", fontsize=8.5)
            axes.set_ylabel("magnitude |x|")
            depth_axis(axes, [summary.site.key for summary in drawn_sites(entries[place])])
    figure.colorbar(image, ax=figure.axes, label="share of a layer's values", aspect=30 * rows, pad=0.02)
    figure.suptitle(figure_title(entries), x=0.01, ha="left", color=FAINT)
    return figure


def _counts(entry: Entry, side: Side) -> Counts:
    return [_histogram(summary, side) for summary in drawn_sites(entry)]


def _histogram(summary: SiteSummary, side: Side) -> tuple[float, ...] | None:
    statistics = summary.forward if side == "forward" else summary.backward
    counts = (statistics or {}).get("exponents")
    return counts if isinstance(counts, tuple) and len(counts) == 256 and sum(counts) > 0 else None


def _range(panels: Sequence[Counts]) -> range:
    """The exponents that occur anywhere, float16's always among them."""
    seen = {place - _BIAS for counts in panels for each in counts if each for place in range(1, 255) if each[place]}
    low, high = min({*seen, _FLOAT16[0]}) - _MARGIN, max({*seen, _FLOAT16[-1]}) + _MARGIN
    return range(max(-126, low), min(127, high) + 1)


def _heat(axes: Axes, counts: Counts, exponent_range: range) -> AxesImage:
    """A column per site; zeros stand apart below, what is not finite apart above."""
    from matplotlib.colors import LogNorm

    nothing, gap = math.nan, max(2, round(len(exponent_range) / 15))
    columns = []
    for each in counts:
        shares = [share or nothing for share in _shares(each)] if each else [nothing] * 256
        inside = [shares[exponent + _BIAS] for exponent in exponent_range]
        columns.append([shares[0], *[nothing] * (gap - 1), *inside, *[nothing] * (gap - 1), shares[255]])
    bottom, top = exponent_range[0] - gap, exponent_range[-1] + gap
    image = axes.imshow(
        list(zip(*columns, strict=True)),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="cividis",
        norm=LogNorm(_FAINTEST, 1.0, clip=True),
        extent=(-0.5, len(columns) - 0.5, bottom - 0.5, top + 0.5),
    )
    step = next(step for step in (8, 16, 32) if len(exponent_range) / step <= _TICKS)
    powers = [exponent for exponent in exponent_range if exponent % step == 0]
    powers = [power for power in powers if min(power - bottom, top - power) > gap]
    axes.set_yticks([bottom, *powers, top], ["0", *(f"$2^{{{power}}}$" for power in powers), "inf, nan"])
    axes.grid(visible=False)
    for limit, meaning in _LIMITS.items():
        if limit in exponent_range:
            axes.axhline(limit - 0.5, color="white", lw=2, alpha=0.6)
            axes.axhline(limit - 0.5, color=INK, lw=0.8, linestyle=(0, (4, 2)))
            axes.annotate(meaning, (1.01, limit - 0.5), xycoords=axes.get_yaxis_transform(), va="center", fontsize=7)
    return image


def _fitting(counts: Counts) -> str:
    """The share of all values that float16 holds, zeros included."""
    known = [each for each in counts if each]
    total = sum(map(sum, known))
    fitting = sum(each[0] + sum(each[exponent + _BIAS] for exponent in _FLOAT16) for each in known)
    if fitting in {0.0, total}:
        return "all" if fitting else "none"
    share = fitting / total
    return "over 99.9 %" if share > 0.999 else "under 0.1 %" if share < 0.001 else f"{100 * share:.3g} %"


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts]
