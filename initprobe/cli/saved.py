"""``report``: what was saved, rendered again."""

from __future__ import annotations

from typing import Annotated

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import draw, prepare
from initprobe.cli.output import Style, deliver, sinks
from initprobe.report.reading import read_result


def report(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="A saved result (--save, -o json); - for stdin.")],
    output: o.Outputs = [],
    layers: o.Layers = "grouped",
    anatomy: o.Anatomy = False,
    plots: o.Plots = None,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
) -> int:
    """Render a saved result again, in any format; nothing is measured and nothing is judged.

    Example:  initprobe report result.json -o markdown=result.md --plots plots
    """
    outputs = sinks(output)
    prepare(None, plots)
    saved = read_result(result)
    deliver(saved, outputs, Style(color, layers, anatomy, quiet))
    draw(saved, plots, quiet)
    return 0
