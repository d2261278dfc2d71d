"""Saved results as targets: what was measured before, judged by what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from initprobe.check.rejudge import rejudge
from initprobe.errors import UsageError
from initprobe.records import Report, TargetRequest
from initprobe.report.reading import read_result
from initprobe.settings import Flags, rejudging

FIXED: Mapping[str, str] = {
    "sets": "--set",
    "inputs": "--input",
    "batch_from": "--batch-from",
    "paths": "--path",
    "weights": "--weights",
}
"""Fields of a target's request that say what is measured, and how they are typed."""


def open_saved(request: TargetRequest, flags: Flags) -> Report:
    """A saved result, under the flags of now.

    Raises:
        UsageError: it is no result, or a flag asks for another measurement.
    """
    _refuse(request, flags)
    report = read_result(request.text)
    entries = tuple(rejudge(entry, rejudging(entry.request.check, flags.check)) for entry in report.entries)
    return Report(report.command, entries, report.environment)


def together(command: str, reports: Sequence[Report]) -> Report:
    """Several reports as one, in the environment of the first that has one."""
    entries = tuple(entry for report in reports for entry in report.entries)
    return Report(command, entries, next((one.environment for one in reports if one.environment is not None), None))


def _refuse(request: TargetRequest, flags: Flags) -> None:
    """What was measured cannot be changed any more."""
    given: dict[str, Any] = {f"--{name.replace('_', '-')}": value for name, value in flags.probe.items()}
    given.pop("--statistics", None)  # the plots' own wish; what is not there is not drawn
    given |= {option: getattr(request, name) for name, option in FIXED.items()}
    given |= {"--scheme": flags.scheme, "--only": flags.only, "--threshold": flags.check.get("thresholds")}
    told = [option for option, value in given.items() if value not in (None, (), "")]
    if told:
        raise UsageError(
            f"{told[0]} asks for another measurement, and {request.text!r} is a saved result",
            hint="name the network itself, or leave the option away",
        )
