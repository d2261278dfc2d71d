"""One line per finding, as compilers print them: editors and grep know what to do with it."""

from __future__ import annotations

from initprobe.records import Entry, Finding, Report, Segment
from initprobe.report.diagnostic import location_text
from initprobe.report.difference import changes, difference_phrase
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.layers import fold
from initprobe.report.numbers import interval
from initprobe.report.phrases import active, row_names, summary_line
from initprobe.report.visible import ascii_text, visible, visible_lines


@report_format("concise", extension=".txt")
def concise(report: Report, options: RenderOptions) -> str:
    """One line per finding: file:line:column: code name: what."""
    if options.quiet > 1:
        return ""
    lines = []
    _, names = row_names(report.entries)
    for entry, name in zip(report.entries, names, strict=True):
        whose = f" ({name})" if report.command == "compare" else ""
        if entry.failure is not None:
            lines.append(f"{_target(entry)}: {visible_lines(entry.failure.message)[0]}{whose}")
        if report.command != "diff":
            lines += [f"{_line(entry, finding)}{whose}" for finding in active([entry])]
        told = report.command != "diff" and _changed(entry) and active([entry])  # as findings
        lines += [f"{_target(entry)}: {phrase}" for phrase in [difference_phrase(entry)] if phrase and not told]
    if not options.quiet:
        lines.append(changes(report.entries) if report.command == "diff" else summary_line(report.entries))
    text = "".join(f"{line}\n" for line in lines)
    return text if options.unicode else ascii_text(text)


def _line(entry: Entry, finding: Finding) -> str:
    place = location_text(finding.location) if finding.location else _target(entry)
    return f"{place}: {visible(finding.rule.code)} {visible(finding.rule.name)}: {_what(entry, finding)}"


def _what(entry: Entry, finding: Finding) -> str:
    """The gain with its interval where the finding is about one, else the message."""
    side = finding.rule.name.rpartition("-")[2]
    segment = _segment(entry, finding)
    gain = {"forward": segment.forward, "backward": segment.backward}.get(side) if segment else None
    label = _label(finding)
    if gain is None:
        return visible(finding.message, 1000) + (f" ({label})" if label else "")
    return f"gain {interval(gain.per_layer)} over {label}"


def _label(finding: Finding) -> str:
    """The layers, folded where that is short (``block.0–49.linear``)."""
    folds = fold(finding.sites, [None] * len(finding.sites))
    return ", ".join(found.label for found in folds) if 0 < len(folds) <= 3 else visible(finding.label)


def _segment(entry: Entry, finding: Finding) -> Segment | None:
    """The stream whose gain the finding judges."""
    named = set(finding.sites)
    return next((segment for segment in entry.segments if named and named <= set(segment.sites)), None)


def _changed(entry: Entry) -> bool:
    return entry.difference is not None and entry.difference.verdict == "fail"


def _target(entry: Entry) -> str:
    return visible(entry.name) or "(target)"
