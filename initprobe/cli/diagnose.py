"""``run``, ``check`` and ``compare``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initprobe.cli import options as o
from initprobe.cli.ci import announce
from initprobe.cli.fixes import changed_by, mend, wanted
from initprobe.cli.judging import judging_of, pair
from initprobe.cli.output import Style, deliver, exit_code, progress, sinks, tell, tracebacks
from initprobe.cli.project import of_project, project_here
from initprobe.errors import ExitCode, UsageError
from initprobe.records import Report, TargetRequest
from initprobe.report.write import check_writable

if TYPE_CHECKING:
    from initprobe.project import Project
    from initprobe.settings import Flags


def run(
    targets: o.Targets,
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
    anatomy: o.Anatomy = False,
    plots: o.Plots = None,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
) -> int:
    """Measure and report; exit 0 whatever it finds.

    Example:  initprobe run configs/deep-mlp.yaml --plots plots
    """
    outputs = sinks(output)
    prepare(save, plots)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, statistics, plots)
    requests = requests_of(targets, sets, inputs, batch_from, paths, allow_code, weights)
    with tracebacks(traceback) as failed, progress(quiet=quiet) as listen:
        report = _probe_all("run", requests, flags_of(scheme, probe, {}, only), listen, failed)
    deliver(report, outputs, Style(color, layers, anatomy, quiet), save)
    draw(report, plots, quiet)
    return exit_code(report, judged=False)


def check(
    targets: o.ProjectTargets = [],
    select: o.Select = [],
    ignore: o.Ignore = [],
    extend_select: o.ExtendSelect = [],
    extend_ignore: o.ExtendIgnore = [],
    fail_on: o.FailOn = None,
    strict: o.Strict = False,
    severities: o.Severities = [],
    thresholds: o.Thresholds = [],
    precision: o.Precision = None,
    exit_zero: o.ExitZero = False,
    against: o.Against = None,
    baseline: o.Baseline = None,
    update_baseline: o.UpdateBaseline = False,
    suggest: o.Suggest = None,
    fix: o.Fix = False,
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
    show_suppressed: o.ShowSuppressed = False,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
    no_ci: o.NoCi = False,
) -> int:
    """Measure and judge: exit 1 when signals would explode or vanish. The command for CI.

    Example:  initprobe check 'mypkg.models:build(depth=50)' --input 3,224,224
    """
    from initprobe.cli.gate import gate

    project = project_here()
    outputs = sinks(output)
    prepare(save, plots)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, statistics, plots)
    requests = requests_of(targets or [""], sets, inputs, batch_from, paths, allow_code, weights)
    requests = requests if targets else of_project(project, requests[0])
    judging = judging_of(
        select, ignore, extend_select, extend_ignore, fail_on, strict, severities, thresholds, precision, against
    )
    gated = gate(project, against, baseline, update=update_baseline, strict=strict)
    wanted(suggest, fix=fix)
    with tracebacks(traceback) as failed, progress(quiet=quiet) as listen:
        report = _probe_all("check", requests, flags_of(scheme, probe, judging, only, project), listen, failed)
        mended = mend(gated.known(report), listen, suggest=suggest, fix=fix)
    verdict = gated.judge(mended.settled)
    told = mended.told
    shown = verdict.report
    if mended.settled is not mended.report:
        shown, told = gated.applied(mended.report), (*told, *changed_by(verdict.report))
    announce(shown, outputs, off=no_ci or quiet > 1)
    deliver(shown, outputs, Style(color, layers, quiet=quiet, suppressed=show_suppressed), save)
    for line in () if quiet else told:
        tell(line)
    draw(shown, plots, quiet)
    return ExitCode.OK if exit_zero and verdict.code == ExitCode.FINDINGS else verdict.code


def compare(
    things: Annotated[
        list[str], typer.Argument(metavar="THING", help="Schemes or targets; or one FILE.yaml with a compare: list.")
    ],
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=1, help="Layers of the built-in network. Default 50.", rich_help_panel=o.MODEL),
    ] = None,
    width: Annotated[
        int | None, typer.Option("--width", min=1, help="Its width. Default 256.", rich_help_panel=o.MODEL)
    ] = None,
    activation: Annotated[
        str | None, typer.Option("--activation", help="Its activation. Default relu.", rich_help_panel=o.MODEL)
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="TARGET", help="Compare the schemes on this network.", rich_help_panel=o.MODEL),
    ] = None,
    sets: o.Sets = [],
    inputs: o.Inputs = [],
    batch_from: o.BatchFrom = None,
    paths: o.Paths = [],
    allow_code: o.AllowCode = False,
    weights: o.Weights = None,
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
    """Put schemes (on the same random numbers) or targets side by side; exit 0 like run.

    Example:  initprobe compare he xavier orthogonal torch --depth 50
    """
    outputs = sinks(output)
    prepare(save, plots)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, statistics, plots)
    shape = {
        name: value
        for name, value in (("depth", depth), ("width", width), ("activation", activation))
        if value is not None
    }
    options = requests_of([""], sets, inputs, batch_from, paths, allow_code, weights)[0]
    with tracebacks(traceback), progress(quiet=quiet) as listen:
        from initprobe.commands import compare_things

        report = compare_things(things, options, flags_of(None, probe, {}, only), on=on, shape=shape, listen=listen)
    deliver(report, outputs, Style(color, layers, quiet=quiet), save)
    draw(report, plots, quiet)
    return exit_code(report, judged=False)


def requests_of(
    targets: Sequence[str],
    sets: Sequence[str] = (),
    inputs: Sequence[str] = (),
    batch_from: str | None = None,
    paths: Sequence[Path] = (),
    allow_code: bool = False,
    weights: str | None = None,
) -> tuple[TargetRequest, ...]:
    """One request per target, all with the same options."""
    assignments = tuple(pair(text, "--set", "KEY=VALUE") for text in sets)
    found = tuple(str(path) for path in paths)
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"--path {str(path)!r} is no directory")
    return tuple(
        TargetRequest(text, assignments, tuple(inputs), batch_from, found, allow_code=allow_code, weights=weights)
        for text in targets
    )


def probe_options(
    seeds: str | None,
    base: int,
    max_seeds: int | None,
    batch: int | None,
    dtype: str | None,
    device: str | None,
    mode: str | None,
    loss: str | None,
    no_backward: bool,
    statistics: Sequence[str],
    plots: Path | None,
) -> Mapping[str, Any]:
    """Those fields of the probe request that the command line gives."""
    from initprobe.report.plots.base import wanted_statistics
    from initprobe.settings import seeds_of

    given: dict[str, Any] = {
        "max_seeds": max_seeds,
        "batch": batch,
        "dtype": dtype,
        "device": device,
        "mode": mode,
        "loss": loss,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if seeds is not None or base:
        given["seeds"] = seeds_of(seeds or "5", base)
    if no_backward:
        given["backward"] = False
    wanted = [name for text in statistics for name in text.split(",")]
    if wanted:
        given["statistics"] = tuple(wanted)
    if plots is not None:  # whoever asks for plots should not have to know what they are drawn from
        given["plotted"] = wanted_statistics()
    return given


def _probe_all(
    command: str,
    requests: Sequence[TargetRequest],
    flags: Flags,
    listen: Callable[[str], None],
    failed: Callable[[BaseException], None],
) -> Report:
    from initprobe.commands import probe_all

    return probe_all(command, requests, flags, listen, failed)


def flags_of(
    scheme: str | None,
    probe: Mapping[str, Any],
    judging: Mapping[str, Any],
    only: Sequence[str],
    project: Project | None = None,
) -> Flags:
    """What the command line says, and the environment and the project behind it, as the api takes it.

    The project is looked for where it is not given.
    """
    from initprobe.init.choose import parse_scheme
    from initprobe.settings import Flags, environment_says

    typed = None if scheme is None else parse_scheme(scheme)
    spoken = environment_says(os.environ)
    return Flags(typed, probe, judging, tuple(only), spoken, (project or project_here()).said)


def draw(report: Report, directory: Path | None, quiet: int) -> None:
    """Draw the plots that were asked for, and name their files."""
    if directory is None or not any(entry.failure is None for entry in report.entries):
        return
    from initprobe.report.figures import save_plots

    with progress(quiet=quiet) as listen:
        listen("drawing")
        drawn = save_plots(report, directory)
    for path in drawn:
        tell(f"wrote {path}")


def prepare(save: Path | None, plots: Path | None) -> None:
    """See to it that what is to be kept can be written, before anything is measured."""
    if save is not None:
        check_writable(save)
    if plots is not None:
        from initprobe.report.figures import directory_for

        directory_for(plots)
