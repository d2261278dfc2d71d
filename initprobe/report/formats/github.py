"""Workflow commands: what GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from initprobe.records import SEVERITIES, Entry, Finding, Location, Report, Severity
from initprobe.report.diagnostic import details
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.phrases import summary_line, titles
from initprobe.report.place import NEAREST, place_of
from initprobe.report.visible import visible, visible_lines

_MOST = 10
"""GitHub shows ten annotations of a kind for one step, and drops the rest without a word."""

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "notice"}


@dataclass(frozen=True, slots=True)
class _Annotation:
    severity: Severity
    command: str


@report_format("github", extension=".txt")
def workflow_commands(report: Report, options: RenderOptions) -> str:
    """Annotations of GitHub Actions, at most ten, the most severe first.

    They are workflow commands, and a line with the counts behind them, which is none. Where there are more, the tenth
    says how many. A finding without a file is an annotation of the whole run.
    """
    found = [
        annotation
        for entry, name in zip(report.entries, titles(report.entries), strict=True)
        for annotation in _annotations(entry, name, options)
    ]
    found.sort(key=lambda annotation: -SEVERITIES.index(annotation.severity))
    lines = [annotation.command for annotation in found]
    if len(lines) > _MOST:
        more = len(lines) - _MOST + 1
        lines = [*lines[: _MOST - 1], _command("notice", {"title": "initprobe"}, f"…and {more} more, in the log")]
    return "".join(f"{line}\n" for line in [*lines, summary_line(report.entries)])


def _annotations(entry: Entry, name: str, options: RenderOptions) -> Iterator[_Annotation]:
    if entry.failure is not None:
        properties = {**_region(place_of(entry, None, options)), "title": f"{name} could not be probed"}
        yield _Annotation("error", _command("error", properties, "\n".join(visible_lines(entry.failure.message))))
    for finding in entry.findings:
        if finding.suppressed is None:
            title = f"{visible(finding.rule.name)} ({visible(finding.rule.code)}) in {name}"
            place = place_of(entry, finding, options)
            message = _message(finding, place)
            command = _command(_LEVELS[finding.severity], {**_region(place), "title": title}, message)
            yield _Annotation(finding.severity, command)


def _region(place: Location | None) -> dict[str, str]:
    """File, line and columns; columns only with an end on the same line, as GitHub wants them."""
    if place is None:
        return {}
    found = {"file": visible(place.file, len(place.file)), "line": str(place.line), "endLine": str(place.line)}
    if place.end_column is not None and not place.approximate:
        found |= {"col": str(place.column), "endColumn": str(place.end_column)}
    return found


def _message(finding: Finding, place: Location | None) -> str:
    lines = [visible(finding.message, 1000), *(f"{name}: {text}" for name, text in details(finding))]
    lines += [NEAREST] if place is not None and place.approximate else []
    return "\n".join(lines)


def _command(level: str, properties: dict[str, str], message: str) -> str:
    """``::error file=net.yaml,line=3::text``, encoded as the runner decodes it."""
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
