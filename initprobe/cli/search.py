"""``sweep``."""

from __future__ import annotations

from typing import Annotated

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import draw, flags_of, prepare, probe_options, requests_of
from initprobe.cli.output import Style, deliver, exit_code, progress, sinks, tracebacks


def sweep(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A spec with a sweep: section, or preset:NAME.")],
    sets: o.Sets = [],
    inputs: o.Inputs = [],
    batch_from: o.BatchFrom = None,
    paths: o.Paths = [],
    allow_code: o.AllowCode = False,
    weights: o.Weights = None,
    scheme: o.Scheme = None,
    only: o.Only = [],
    seeds: o.Seeds = None,
    max_seeds: o.MaxSeeds = None,
    seed: o.Seed = 0,
    batch: o.Batch = None,
    dtype: o.Dtype = None,
    device: o.Device = None,
    mode: o.Mode = None,
    loss: o.Loss = None,
    no_backward: o.NoBackward = False,
    statistics: o.Statistics = [],
    output: o.Outputs = [],
    save: o.Save = None,
    layers: o.Layers = "grouped",
    plots: o.Plots = None,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
) -> int:
    """Measure every point of a spec's sweep: grid, one row for each; exit 0 like run.

    What an option decides (--set vars.depth=20, --scheme he) is no axis of the grid any more.

    Example:  initprobe sweep net.yaml --set 'sweep.vars.depth=[10, 50, 100]'
    """
    outputs = sinks(output)
    prepare(save, plots)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, statistics, plots)
    (request,) = requests_of([config], sets, inputs, batch_from, paths, allow_code, weights)
    with tracebacks(traceback) as failed, progress(quiet=quiet) as listen:
        from initprobe.commands import sweep_spec

        report = sweep_spec(request, flags_of(scheme, probe, {}, only), listen, failed)
    deliver(report, outputs, Style(color, layers, quiet=quiet), save)
    draw(report, plots, quiet)
    return exit_code(report, judged=False)
