"""What a figure is: a function from entries to a matplotlib Figure, drawn in the house style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from initprobe.records import Entry
from initprobe.registry import Registry
from initprobe.report.style import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawing = Callable[[Sequence[Entry]], "Figure | None"]


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure.

    Attributes:
        name: what it is called, and how its files begin.
        summary: one line for ``ls plots``.
        draw: entries (all of which were measured) to a Figure, or None when they do not hold what it shows.
        statistics: what must be measured for it beyond the core statistics.
    """

    name: str
    summary: str
    draw: Drawing
    statistics: tuple[str, ...] = ()


def wanted_statistics() -> tuple[str, ...]:
    """Everything that some plot needs beyond the core statistics."""
    return tuple(dict.fromkeys(name for leaf in PLOTS.values() for name in leaf.statistics))


PLOTS: Registry[Plot] = Registry("plot", "initprobe.report.plots", "initprobe.plots")


def plot(name: str, *, statistics: tuple[str, ...] = ()) -> Callable[[Drawing], Drawing]:
    """Register a function from entries to a Figure (or None); it never sees an entry without sites.

    ``statistics`` names what it shows beyond the core ones; whoever asks for plots gets them measured.
    """

    def register(drawing: Drawing) -> Drawing:
        def draw(entries: Sequence[Entry]) -> Figure | None:
            measured = [entry for entry in entries if entry.sites]
            if not measured:
                return None
            with house_style():
                return drawing(measured)

        PLOTS.add(name, Plot(name, (drawing.__doc__ or "").strip().partition("\n")[0], draw, statistics))
        return draw

    return register
