"""Findings that were there before, and do not count until somebody takes them up: the baseline file.

An entry has no line number, no measured number and no time, so that it stays what it is while the code around it moves,
and two branches that each add one merge without a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from posixpath import join, normpath
from typing import NamedTuple

from initprobe.check.naming import without_digits
from initprobe.check.rejudge import decided, in_order
from initprobe.check.selection import select
from initprobe.errors import UsageError
from initprobe.records import Entry, Finding, Report

BASELINED = "baselined"
VERSION = 1
FILES = {".yaml", ".yml", ".py", ".json", ".pt2", ".keras"}
"""How the names of files end that are targets."""


class Known(NamedTuple):
    """A finding that was there before.

    Attributes:
        target: what was typed: the target, what ``--set`` changed, the scheme.
        rule: the rule's name.
        layers: the layers with ``*`` for their numbers, so that one more block is nothing new.
    """

    target: str
    rule: str
    layers: str


@dataclass(frozen=True, slots=True)
class Matched:
    """A report whose known findings do not count any more, and what the baseline knows that is not there."""

    report: Report
    stale: tuple[Known, ...]


def read_baseline(text: str, name: str) -> tuple[Known, ...]:
    """The entries of a baseline.

    Args:
        text: what the file holds.
        name: its name in messages.

    Raises:
        UsageError: it is no baseline, or one of another version.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no baseline: {error}", hint="--update-baseline writes it") from None
    if not isinstance(given, dict) or given.get("version") != VERSION or not isinstance(given.get("entries"), list):
        raise UsageError(f"{name} is no baseline of version {VERSION}", hint="--update-baseline writes it anew")
    entries = []
    for place, entry in enumerate(given["entries"]):
        values = [entry.get(key) if isinstance(entry, dict) else None for key in Known._fields]
        if not all(isinstance(value, str) for value in values):
            raise UsageError(f"{name}: entry {place} has not the texts {', '.join(Known._fields)}")
        entries.append(Known(*map(str, values)))
    return tuple(entries)


def write_baseline(entries: Sequence[Known]) -> str:
    """The text of a baseline: sorted, one entry a line."""
    rows = [json.dumps(known._asdict(), ensure_ascii=False) for known in sorted(set(entries))]
    return f'{{"version": {VERSION}, "entries": [\n' + ",\n".join(rows) + "\n" * bool(rows) + "]}\n"


def match(report: Report, baseline: Sequence[Known], folder: str = ".") -> Matched:
    """The report under a baseline; entries about targets or rules that were not asked for are not stale.

    Args:
        report: what was found.
        baseline: what is known.
        folder: the working directory, as the baseline's own folder sees it.
    """
    known, seen, asked = set(baseline), set[Known](), set[tuple[str, str]]()
    entries = []
    for entry in report.entries:
        if entry.failure is None:
            asked |= {(target_of(entry, folder), name) for name in _looked(entry)}
        marked = []
        for finding in entry.findings:
            own = known_as(entry, finding, folder)
            seen.add(own)
            counts = finding.suppressed is None and own in known
            marked.append(replace(finding, suppressed=BASELINED) if counts else finding)
        entries.append(entry if tuple(marked) == entry.findings else _under(entry, marked))
    stale = sorted(one for one in known - seen if (one.target, one.rule) in asked)
    return Matched(replace(report, entries=tuple(entries)), tuple(stale))


def updated(report: Report, baseline: Sequence[Known], folder: str = ".") -> tuple[Known, ...]:
    """The baseline with what was found now: of what was not asked for, it keeps what it has.

    What is suppressed elsewhere does not need it.
    """
    stale = set(match(report, baseline, folder).stale)
    found = [
        known_as(entry, finding, folder)
        for entry in report.entries
        for finding in entry.findings
        if finding.suppressed in (None, BASELINED)
    ]
    return tuple(sorted({*(one for one in baseline if one not in stale), *found}))


def known_as(entry: Entry, finding: Finding, folder: str = ".") -> Known:
    """A finding as a baseline knows it."""
    paths = {summary.site.key: summary.site.path for summary in entry.sites}
    places = [paths.get(key, key) for key in finding.sites] or [*finding.parameters] or [finding.label]
    layers = ", ".join(sorted({without_digits(place) for place in places}))
    return Known(target_of(entry, folder), finding.rule.name, layers)


def target_of(entry: Entry, folder: str = ".") -> str:
    """What was typed, in one way on every machine and in every folder: a file's path is the baseline's."""
    target = entry.request.target
    file, colon, rest = target.text.replace("\\", "/").partition(":")
    is_path = "/" in file or PurePath(file).suffix in FILES
    text = (normpath(join(folder, file)) if is_path else file) + colon + rest
    words = [*(f"--set {key}={value}" for key, value in target.sets)]
    words += [f"--weights {PurePath(target.weights).as_posix()}"] if target.weights is not None else []
    return " ".join([text, *words, *entry.request.typed])


def _looked(entry: Entry) -> Sequence[str]:
    """Names of the rules that looked; where that was not written down, of those that were asked to."""
    return entry.checked or [rule.card.name for rule in select(entry.request.check).rules]


def _under(entry: Entry, findings: Sequence[Finding]) -> Entry:
    return decided(replace(entry, findings=in_order(findings)))
