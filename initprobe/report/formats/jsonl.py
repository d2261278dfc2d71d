"""JSON Lines: one finding a line, for jq, log shippers and whoever reads a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from initprobe.records import SEVERITIES, Entry, Report
from initprobe.report.fingerprint import Identified, identified
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.phrases import active
from initprobe.report.result import plain_fields, to_result


@report_format("jsonl", extension=".jsonl")
def json_lines(report: Report, options: RenderOptions) -> str:
    """One JSON object per line: the report, then the findings and a summary of each target.

    Every object has a ``type``: ``report``, ``finding`` or ``summary``. Fields and their values are those of the result
    file; a finding carries its fingerprint, and leaves its rule's documentation to ``initprobe explain``.
    """
    del options
    head = to_result(Report(report.command, (), report.environment))
    del head["results"]
    lines: list[dict[str, Any]] = [{"type": "report", **head}]
    found = identified(report)
    for number, entry in enumerate(report.entries):
        lines += _findings(number, entry, found)
        lines.append(_summary(number, entry))
    return "".join(f"{json.dumps(line, allow_nan=False)}\n" for line in lines)


def _findings(number: int, entry: Entry, found: tuple[Identified, ...]) -> Iterator[dict[str, Any]]:
    for one in found:
        if one.number == number:
            fields = plain_fields(one.finding)
            fields["rule"].pop("doc")
            yield {"type": "finding", **_whose(number, entry), "fingerprint": one.fingerprint, **fields}


def _summary(number: int, entry: Entry) -> dict[str, Any]:
    counted = [finding.severity for finding in active([entry])]
    return {
        "type": "summary",
        **_whose(number, entry),
        "verdict": entry.verdict,
        "findings": {severity: counted.count(severity) for severity in reversed(SEVERITIES)},
        "suppressed": len(entry.findings) - len(counted),
        "seeds": list(entry.seeds),
        "one_draw": entry.one_draw,
        "checked": list(entry.checked),
        "failure": plain_fields(entry.failure) if entry.failure is not None else None,
    }


def _whose(number: int, entry: Entry) -> dict[str, Any]:
    """What tells the targets of a report apart: their place in it, what was typed, the name and the init."""
    fields = plain_fields(Entry(entry.name, entry.scheme, entry.request))
    target = fields["request"]["target"]["text"]
    return {"entry": number, "target": target, "name": fields["name"], "scheme": fields["scheme"]}
