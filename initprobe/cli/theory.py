"""``theory``."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from initprobe.cli import options as o
from initprobe.cli.output import Sink, Style, progress, say, sinks, tell, tracebacks
from initprobe.errors import UsageError
from initprobe.records import ActivationUse, Theory
from initprobe.report.options import RenderOptions
from initprobe.report.write import write_text

VARIANCES, PHASE = "Variances", "Phase diagram"


def theory(
    activations: Annotated[
        list[str],
        typer.Argument(
            metavar="ACTIVATION", help="gelu, 'leaky_relu(0.2)', FILE.py:FN or pkg.mod:FN. Several stand side by side."
        ),
    ],
    weight_variance: Annotated[
        float | None,
        typer.Option(help="sigma_w², variance of a weight times fan_in. Default 1 / E f².", rich_help_panel=VARIANCES),
    ] = None,
    sigma_w: Annotated[
        float | None, typer.Option(help="The same as a standard deviation.", rich_help_panel=VARIANCES)
    ] = None,
    bias_variance: Annotated[
        float | None, typer.Option(help="sigma_b², variance of a bias. Default 0.", rich_help_panel=VARIANCES)
    ] = None,
    sigma_b: Annotated[
        float | None, typer.Option(help="The same as a standard deviation.", rich_help_panel=VARIANCES)
    ] = None,
    phase: Annotated[
        bool,
        typer.Option(
            "--phase", help="Draw the phase diagram over both variances, as PNG and SVG.", rich_help_panel=PHASE
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Probe networks at 24 of its points and draw chi_1.", rich_help_panel=PHASE),
    ] = False,
    max_weight_variance: Annotated[
        float | None, typer.Option(help="Where its x axis ends. Default: what there is to see.", rich_help_panel=PHASE)
    ] = None,
    max_bias_variance: Annotated[float, typer.Option(help="Where its y axis ends.", rich_help_panel=PHASE)] = 0.5,
    plots: Annotated[
        Path, typer.Option("--plots", metavar="DIR", help="Where the phase diagram goes.", rich_help_panel=PHASE)
    ] = Path(),
    paths: o.Paths = [],
    output: Annotated[
        list[str],
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT[=PATH]",
            help="full, json, markdown. Repeatable.",
            rich_help_panel=o.OUTPUT,
        ),
    ] = [],
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
) -> int:
    """Say what mean-field theory expects: moments, gains, fixed points, chi_1, depth scales, the critical point.

    Example:  initprobe theory tanh --sigma-w 1.5 --bias-variance 0.05 --phase
    """
    from initprobe.predict.theory import theory_of

    outputs = sinks(output)
    weight = _variance("--weight-variance", weight_variance, "--sigma-w", sigma_w)
    bias = _variance("--bias-variance", bias_variance, "--sigma-b", sigma_b) or 0.0
    with tracebacks(traceback):
        uses = [_opened(text, paths) for text in activations]
        told = [theory_of(use, weight, bias) for use in uses]
        if phase or measure:
            _draw(uses, (max_weight_variance, max_bias_variance), plots, quiet, measure=measure)
    if not quiet:
        _deliver(told, outputs, Style(color))
    return 0


def _draw(
    uses: Sequence[ActivationUse],
    limits: tuple[float | None, float],
    directory: Path,
    quiet: int,
    *,
    measure: bool,
) -> None:
    """Phase diagrams as files, one for each activation that has one; their names go to standard error."""
    from initprobe.predict.phase import phase_diagram
    from initprobe.report.figures import save_figure
    from initprobe.report.phase import phase_figure

    for use in uses:
        with progress(quiet=quiet) as listen:
            listen(f"{use}: critical line and depth scales")
            diagram = phase_diagram(use, *limits)
            if measure:
                listen("loading torch")
                from initprobe.search.phase import measured

                diagram = measured(diagram, use, listen)
            drawn = save_figure(phase_figure(diagram), directory, f"phase-{use}")
        for path in drawn:
            tell(f"wrote {path}")


def _opened(text: str, paths: Sequence[Path]) -> ActivationUse:
    """An activation by its name, or one that the user wrote; only that needs torch."""
    if ":" not in text.partition("(")[0]:
        from initprobe.activations.typed import parse_activation

        return parse_activation(text)
    with progress(quiet=0) as listen:
        listen("loading torch")
        from initprobe.load.activation import open_activation

        return open_activation(text, tuple(map(str, paths)))


def _variance(name: str, variance: float | None, deviation_name: str, deviation: float | None) -> float | None:
    if variance is not None and deviation is not None:
        raise UsageError(f"{name} and {deviation_name} say the same thing: give one of them")
    if deviation is not None and not 0.0 <= deviation < math.inf:
        raise UsageError(f"{deviation_name} is {deviation:g}; it is a finite number of zero or more")
    return variance if deviation is None else deviation**2


def _deliver(theories: Sequence[Theory], outputs: Sequence[Sink], style: Style) -> None:
    from initprobe.report.theory import FORMATS

    for sink in outputs:
        if sink.format_name not in FORMATS:
            raise UsageError(f"theory is not told as {sink.format_name}", hint=f"one of {', '.join(FORMATS)}")
    for sink in outputs:
        render = FORMATS[sink.format_name]
        if sink.path is not None:
            write_text(sink.path, render(theories, RenderOptions()))
        else:
            say(render(theories, style.options(sys.stdout or io.StringIO())))
