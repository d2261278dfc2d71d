"""``suggest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from initprobe.cli import options as o
from initprobe.cli.diagnose import flags_of, prepare, probe_options, requests_of
from initprobe.cli.judging import judging_of
from initprobe.cli.output import Style, deliver, exit_code, progress, sinks, tell, tracebacks
from initprobe.errors import ExitCode, UsageError
from initprobe.report.write import check_writable, write_text

if TYPE_CHECKING:
    from initprobe.search.suggest import Suggestions

SPEC, CODE = (".yaml", ".yml"), ".py"


def suggest(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="What `initprobe check` takes, but one network.")],
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE",
            help="Write the best one: FILE.py a function init_weights(model), FILE.yaml the spec with it.",
            rich_help_panel=o.OUTPUT,
        ),
    ] = None,
    select: o.Select = [],
    ignore: o.Ignore = [],
    extend_select: o.ExtendSelect = [],
    extend_ignore: o.ExtendIgnore = [],
    fail_on: o.FailOn = None,
    strict: o.Strict = False,
    severities: o.Severities = [],
    thresholds: o.Thresholds = [],
    precision: o.Precision = None,
    sets: o.Sets = [],
    inputs: o.Inputs = [],
    batch_from: o.BatchFrom = None,
    paths: o.Paths = [],
    allow_code: o.AllowCode = False,
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
    output: o.Outputs = [],
    save: o.Save = None,
    quiet: o.Quiet = 0,
    color: o.Color = "auto",
    traceback: o.Traceback = "short",
) -> int:
    """Find an init with which the check passes: candidates are probed, ranked, and verified on fresh seeds.

    Exit 0 when one was verified or nothing is wrong, 1 when none holds.

    Example:  initprobe suggest net.yaml --write net-fixed.yaml
    """
    outputs = sinks(output)
    prepare(save, None)
    _check_place(write, target)
    probe = probe_options(seeds, seed, max_seeds, batch, dtype, device, mode, loss, no_backward, [], None)
    (request,) = requests_of([target], sets, inputs, batch_from, paths, allow_code)
    judging = judging_of(
        select, ignore, extend_select, extend_ignore, fail_on, strict, severities, thresholds, precision
    )
    with tracebacks(traceback) as failed, progress(quiet=quiet) as listen:
        from initprobe.commands import probe_all
        from initprobe.search.suggest import find_fixes

        before = probe_all("suggest", [request], flags_of(scheme, probe, judging, only), listen, failed)
        if len(before.entries) > 1:
            raise UsageError(f"suggest takes one network, and {target!r} holds {len(before.entries)}")
        found = find_fixes(before, listen, code=None if write is None else write.suffix == CODE)
        written = write is not None and found.verified and _write(found, write)
    deliver(found.report, outputs, Style(color, quiet=quiet), save)
    if write is not None:
        tell(f"wrote {write}" if written else f"nothing was verified: {write} was not written")
    elif found.verified and not quiet:
        tell("next: --write FILE.yaml writes the spec with it" if found.spec else "next: --write FILE.py writes it")
    return exit_code(found.report, judged=False) or (ExitCode.OK if found.settled else ExitCode.FINDINGS)


def _check_place(write: Path | None, target: str) -> None:
    """See to it that the result can be written, before anything is measured."""
    if target == "-":
        raise UsageError("a search opens its target more than once, and standard input can be read once")
    if write is None:
        return
    if write.suffix not in (*SPEC, CODE):
        raise UsageError(f"--write {write}: neither .py nor .yaml", hint="--write init.py, --write net.yaml")
    if write.exists():
        raise UsageError(f"--write {write}: the file is there already", hint="name a new one; check --fix edits a spec")
    check_writable(write)


def _write(found: Suggestions, place: Path) -> bool:
    """Write the best change in the language of the file."""
    from initprobe.search.revise import revise

    best = found.entries[0].change
    if place.suffix == CODE:
        if best is None or not best.python:
            raise UsageError("this init cannot be said as a function to paste", hint=f"--write {place.stem}.yaml")
        write_text(place, best.python)
    elif found.spec:
        revise(found.before, found.entries[: found.verified]).write(place)
    elif best is not None:
        write_text(place, best.yaml)
    return True
