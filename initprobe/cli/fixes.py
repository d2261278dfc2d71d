"""What ``check`` does about its findings: fixes beside them, and with ``--fix`` in the spec."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from initprobe.errors import UsageError
from initprobe.records import Entry, Report
from initprobe.report.difference import difference_phrase

if TYPE_CHECKING:
    from initprobe.search.suggest import Suggestions


@dataclass(frozen=True, slots=True)
class Mended:
    """A report with fixes.

    Attributes:
        report: what was found, with a fix where one was verified.
        settled: the same after what was written, which decides the exit code.
        told: what to say on standard error.
    """

    report: Report
    settled: Report
    told: tuple[str, ...] = ()


def wanted(suggest: bool | None, *, fix: bool) -> bool:
    """Whether fixes are to be looked for: said so, needed by ``--fix``, or somebody is watching.

    Raises:
        UsageError: the two options contradict each other.
    """
    if fix and suggest is False:
        raise UsageError("--fix writes what --suggest finds, and --no-suggest looks for nothing")
    return fix or (sys.stderr.isatty() if suggest is None else suggest)


def mend(report: Report, listen: Callable[[str], None], *, suggest: bool | None, fix: bool) -> Mended:
    """Look for fixes where they are wanted, and write them where that was asked for and can be done.

    Raises:
        UsageError: the two options contradict each other.
    """
    if not wanted(suggest, fix=fix):
        return Mended(report, report)
    mended = [_mended(entry, listen, fix=fix) for entry in report.entries]
    shown = replace(report, entries=tuple(before for before, _, _ in mended))
    settled = replace(report, entries=tuple(after for _, after, _ in mended)) if fix else shown
    return Mended(shown, settled, tuple(line for _, _, line in mended if line))


def changed_by(report: Report) -> tuple[str, ...]:
    """What to say of a report after fixes that is held against an earlier result: a fix is a change, too."""
    return tuple(
        f"held against the earlier result, {entry.name} fails: {difference_phrase(entry)}"
        for entry in report.entries
        if entry.verdict == "fail" and entry.difference is not None and entry.difference.verdict == "fail"
    )


def _mended(entry: Entry, listen: Callable[[str], None], *, fix: bool) -> tuple[Entry, Entry, str]:
    """The entry as it is shown, as it is after the fix, and what to say."""
    from initprobe.load.target import open_target
    from initprobe.search.revise import check_revisable, revise
    from initprobe.search.suggest import out_of_scope, suggest

    if (reason := out_of_scope(entry)) is not None:
        looked = any(one.suppressed is None and one.severity != "info" for one in entry.findings)
        return entry, entry, f"no fix for {entry.name}: {reason}" if looked else ""
    target = open_target(entry.request.target)
    try:
        if fix:
            check_revisable(entry)
    except UsageError as error:  # the findings stand all the same
        return entry, entry, error.render()
    found = suggest(target, entry, listen)
    if not fix:
        return found.before, found.before, _next(found)
    try:
        revision = revise(entry, found.entries[: found.verified], listen)
        revision.write()
    except UsageError as error:
        return found.before, found.before, error.render()
    return found.before, revision.entry, f"fixed {revision.file}: {revision.summary}; the check passes now"


def _next(found: Suggestions) -> str:
    from initprobe.search.revise import check_revisable

    if not found.verified:
        none = f"none of {found.tried} candidates was verified; initprobe suggest shows those that came nearest"
        return f"no fix for {found.before.name}: {none}"
    try:
        check_revisable(found.before)
    except UsageError:
        return "next: initprobe suggest, with the same target and options, prints what to paste"
    return "next: --fix writes it"
