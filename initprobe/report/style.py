"""How figures look: one style whatever the user's matplotlibrc says, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

INK = "#222222"
FAINT = "#767676"
BAND_INNER = "#d3ebc9"
BAND_OUTER = "#f5ecc8"

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito (2008), which the colour-blind tell apart; yellow is left out, it does not show on white."""

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))

_HOUSE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "figure.titlesize": 8,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "svg.hashsalt": "initprobe",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What tells one entry's curve from another's; ``shade`` is the opacity of the band behind it."""

    color: str
    dashes: Any
    shade: float


def looks(total: int) -> list[Look]:
    """Colour and line style of each of several entries; their bands overlap, so they are fainter."""
    shade = 0.2 if total == 1 else 0.1
    return [Look(_COLORS[place % len(_COLORS)], _DASHES[place % len(_DASHES)], shade) for place in range(total)]


@contextmanager
def house_style() -> Iterator[None]:
    """Draw and save inside of this: matplotlib's defaults with ours on top, and the user's settings back after."""
    import matplotlib.style

    with matplotlib.style.context(["default", _HOUSE]):
        yield
