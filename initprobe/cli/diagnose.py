"""``run``, ``check`` and ``compare``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initprobe.cli import options as o
from initprobe.cli.fixes import mend, wanted
from initprobe.cli.output import Style, deliver, exit_code, progress, sinks, tell, tracebacks
from initprobe.errors import UsageError
from initprobe.records import Report, TargetRequest
from initprobe.report.write import check_writable

if TYPE_CHECKING:
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
    targets: o.Targets,
    select: o.Select = [],
    ignore: o.Ignore = [],
    fail_on: o.FailOn = None,
    strict: o.Strict = False,
    severities: o.Severities = [],
    thresholds: o.Thresholds = [],
    exit_zero: o.ExitZero = False,
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
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
) -> int:
    """Measure and judge: exit 1 when signals would explode or vanish. The command for CI.

    Example:  initprobe check 'mypkg.models:build(depth=50)' --input 3,224,224
    """
    outputs = sinks(output)
    prepare(save, plots)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, statistics, plots)
    requests = requests_of(targets, sets, inputs, batch_from, paths, allow_code, weights)
    judging = _judging(select, ignore, fail_on, strict, severities, thresholds)
    wanted(suggest, fix=fix)
    with tracebacks(traceback) as failed, progress(quiet=quiet) as listen:
        report = _probe_all("check", requests, flags_of(scheme, probe, judging, only), listen, failed)
        mended = mend(report, listen, suggest=suggest, fix=fix)
    deliver(mended.report, outputs, Style(color, layers, quiet=quiet), save)
    for line in () if quiet else mended.told:
        tell(line)
    draw(mended.report, plots, quiet)
    return exit_code(mended.settled, judged=not exit_zero)


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
        from initprobe.api import compare_things
        from initprobe.settings import Flags

        report = compare_things(
            things, options, Flags(None, probe, only=tuple(only)), on=on, shape=shape, listen=listen
        )
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
    assignments = tuple(_pair(text, "--set", "KEY=VALUE") for text in sets)
    found = tuple(str(path) for path in paths)
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"--path {str(path)!r} is no directory")
    return tuple(
        TargetRequest(text, assignments, tuple(inputs), batch_from, found, allow_code=allow_code, weights=weights)
        for text in targets
    )


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{option} takes {form}, not {text!r}")
    return key, value


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
    if plots is not None:  # whoever asks for plots should not have to know what they are drawn from
        wanted += [name for name in wanted_statistics() if name not in wanted]
    if wanted:
        given["statistics"] = tuple(wanted)
    return given


def _judging(
    select: Sequence[str],
    ignore: Sequence[str],
    fail_on: str | None,
    strict: bool,
    severities: Sequence[str],
    thresholds: Sequence[str],
) -> Mapping[str, Any]:
    """Those fields of the check request that were given."""
    given: dict[str, Any] = {"complete": True}
    if select:
        given["select"] = tuple(name for text in select for name in text.split(","))
    if ignore:
        given["ignore"] = tuple(name for text in ignore for name in text.split(","))
    if fail_on is not None:
        given["fail_on"] = fail_on
    if strict:
        given["strict"] = True
    if severities:
        given["severities"] = tuple(_severity(text) for text in severities)
    if thresholds:
        given["thresholds"] = tuple(_threshold(text) for text in thresholds)
    return given


def _severity(text: str) -> tuple[str, str]:
    rule, level = _pair(text, "--severity", "RULE=LEVEL")
    if level not in {"error", "warning", "info"}:
        raise UsageError(f"--severity {text}: a level is error, warning or info")
    return rule, level


def _threshold(text: str) -> tuple[str, float]:
    key, value = _pair(text, "--threshold", "KEY=VALUE")
    try:
        return key, float(value)
    except ValueError:
        raise UsageError(f"--threshold {text}: {value!r} is no number") from None


def _probe_all(
    command: str,
    requests: Sequence[TargetRequest],
    flags: Flags,
    listen: Callable[[str], None],
    failed: Callable[[BaseException], None],
) -> Report:
    from initprobe.api import probe_all

    return probe_all(command, requests, flags, listen, failed)


def flags_of(scheme: str | None, probe: Mapping[str, Any], judging: Mapping[str, Any], only: Sequence[str]) -> Flags:
    """What the command line says, as the api takes it."""
    from initprobe.init.choose import parse_scheme
    from initprobe.settings import Flags

    return Flags(None if scheme is None else parse_scheme(scheme), probe, judging, tuple(only))


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
