"""``report`` and ``diff``: what was saved, rendered again, or held against what was saved later."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import draw, prepare
from initprobe.cli.output import Style, deliver, exit_code, sinks
from initprobe.report.reading import read_result


def report(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="A saved result (--save, -o json); - for stdin.")],
    output: o.Outputs = [],
    layers: o.Layers = "grouped",
    anatomy: o.Anatomy = False,
    plots: o.Plots = None,
    show_suppressed: o.ShowSuppressed = False,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
) -> int:
    """Render a saved result again, in any format; nothing is measured and nothing is judged.

    Example:  initprobe report result.json -o markdown=result.md --plots plots
    """
    outputs = sinks(output)
    prepare(None, plots)
    saved = read_result(result)
    deliver(saved, outputs, Style(color, layers, anatomy, quiet, show_suppressed))
    draw(saved, plots, quiet)
    return 0


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The result from before; - for stdin.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The result of now; - for stdin.")],
    output: o.Outputs = [],
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
) -> int:
    """Did the init change? Every std, signal and gradient of two results, against the spread over seeds.

    Exit 1 where something changed by more than another draw of the same init would; a redraw passes.

    Example:  initprobe diff golden.json result.json
    """
    from initprobe.check.regression import against, unjudged

    outputs = sinks(output)
    before, after = unjudged(read_result(old)), unjudged(read_result(new))
    compared = replace(against(before, after, complete=True), command="diff")
    deliver(compared, outputs, Style(color, quiet=quiet))
    return exit_code(compared, judged=True)
