"""Saved results as targets: what was measured before, judged by what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from initprobe.check.limits import resolve
from initprobe.check.rejudge import rejudge, with_absent
from initprobe.errors import UsageError
from initprobe.records import CheckRequest, Entry, Report, Request, TargetRequest
from initprobe.report.reading import read_result
from initprobe.settings import Flags, merged

FIXED: Mapping[str, str] = {
    "sets": "--set",
    "inputs": "--input",
    "batch_from": "--batch-from",
    "paths": "--path",
    "weights": "--weights",
}
"""Fields of a target's request that say what is measured, and how they are typed."""

MEASURED = ("thresholds", "precision", "complete", "ignores")
"""Fields of a check's request that only a measurement can answer: a saved result keeps those of then."""


def open_saved(command: str, request: TargetRequest, flags: Flags) -> Report:
    """A saved result, under the flags and the settings of now.

    Raises:
        UsageError: it is no result, or a flag asks for another measurement, or in a check the settings do.
    """
    _refuse(request, flags)
    report = read_result(request.text)
    judged = command == "check"
    for entry in report.entries if judged else ():
        _refuse_limits(request.text, entry, flags)
    entries = [rejudge(entry, rejudging(entry.request, flags)) for entry in report.entries]
    entries = [with_absent(entry) for entry in entries] if judged else entries
    return Report(report.command, tuple(entries), report.environment)


def rejudging(before: Request, flags: Flags) -> CheckRequest:
    """How a saved result is judged: like a fresh one, but by the limits of then, and by what its own file said then."""
    now = merged(flags.project.check, _spec_said(before), flags.environment.check, flags.check)
    kept = {name: getattr(before.check, name) for name in MEASURED}
    return CheckRequest(**{**now, **kept, "against": before.check.against or bool(now.get("against"))})


def _spec_said(before: Request) -> Mapping[str, Any]:
    return {name: getattr(before.spec_check, name) for name in before.spec_says}


def together(command: str, reports: Sequence[Report]) -> Report:
    """Several reports as one, in the environment of the first that has one."""
    entries = tuple(entry for report in reports for entry in report.entries)
    return Report(command, entries, next((one.environment for one in reports if one.environment is not None), None))


def _refuse_limits(text: str, entry: Entry, flags: Flags) -> None:
    """A verdict by other limits than those in force would be nobody's."""
    asked, precision = flags.check.get("precision"), entry.request.check.precision
    if asked not in (None, precision):
        then = f"for {precision}" if precision is not None else "for no other type"
        raise UsageError(
            f"--precision {asked} asks for another measurement, and {text!r} was judged {then}",
            hint="name the network itself, or leave the option away",
        )
    own = {key for key, _ in _spec_said(entry.request).get("thresholds", ())}
    limits = resolve(entry.request.check.thresholds)
    for key, now in flags.project.check.get("thresholds", ()):
        if key not in own and limits[key] != now:
            raise UsageError(
                f"the project's limit {key} is {now:g}, and {text!r} was judged by {limits[key]:g}",
                hint="measure the network itself: a limit cannot be changed afterwards",
            )


def _refuse(request: TargetRequest, flags: Flags) -> None:
    """What was measured cannot be changed any more."""
    given: dict[str, Any] = {f"--{name.replace('_', '-')}": value for name, value in flags.probe.items()}
    given.pop("--plotted", None)  # the plots' own wish; what is not there is not drawn
    given |= {option: getattr(request, name) for name, option in FIXED.items()}
    given |= {"--scheme": flags.scheme, "--only": flags.only, "--threshold": flags.check.get("thresholds")}
    told = [option for option, value in given.items() if value not in (None, (), "")]
    if told:
        raise UsageError(
            f"{told[0]} asks for another measurement, and {request.text!r} is a saved result",
            hint="name the network itself, or leave the option away",
        )
