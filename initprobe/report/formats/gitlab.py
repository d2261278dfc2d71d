"""What a merge request of GitLab shows as code quality."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from initprobe.records import Entry, Finding, Report, Severity
from initprobe.report.diagnostic import details
from initprobe.report.fingerprint import identified
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.place import place_of
from initprobe.report.visible import visible, visible_lines

_SEVERITIES: dict[Severity, str] = {"error": "critical", "warning": "major", "info": "info"}


@report_format("gitlab", extension=".json")
def code_quality(report: Report, options: RenderOptions) -> str:
    """A code quality report of GitLab: one issue per finding, and one per target that could not be probed.

    GitLab shows no rule, so the description begins with it. Every issue needs a file: where none is known, the target
    as it was typed stands there.
    """
    issues = [_failure(entry, number, options) for number, entry in enumerate(report.entries) if entry.failure]
    issues += [
        {
            "description": _description(one.finding),
            "check_name": visible(one.finding.rule.name),
            "fingerprint": one.fingerprint,
            "severity": _SEVERITIES[one.finding.severity],
            "location": _location(one.entry, one.finding, options),
        }
        for one in identified(report)
        if one.finding.suppressed is None
    ]
    return json.dumps(issues, indent=2) + "\n"


def _failure(entry: Entry, number: int, options: RenderOptions) -> dict[str, Any]:
    message = visible_lines(entry.failure.message if entry.failure else "")
    name = f"target\0{number}\0{entry.request.target.text}"
    return {
        "description": message[0],
        "check_name": "target",
        "fingerprint": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "severity": "blocker",
        "location": _location(entry, None, options),
    }


def _description(finding: Finding) -> str:
    found = details(finding)
    shown = [text for name, text in found if name == "layers"]
    shown += [f"fix: {text}" for name, text in found if name == "fix"]
    return f"{visible(finding.rule.name)}: {' — '.join([visible(finding.message, 1000), *shown])}"


def _location(entry: Entry, finding: Finding | None, options: RenderOptions) -> dict[str, Any]:
    place = place_of(entry, finding, options)
    if place is None:
        return {"path": visible(entry.request.target.text) or "initprobe", "lines": {"begin": 1}}
    return {"path": visible(place.file, len(place.file)), "lines": {"begin": place.line}}
