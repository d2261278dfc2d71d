"""SARIF 2.1.0: what GitHub's code scanning and other collections of findings take in.

OASIS 2023, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata 01".
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from initprobe.records import SEVERITIES, Confidence, Entry, Location, Report, RuleCard, Severity
from initprobe.report.diagnostic import details
from initprobe.report.fingerprint import Identified, identified
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.place import NEAREST, place_of
from initprobe.report.result import plain_fields
from initprobe.report.visible import visible, visible_lines

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST = 25_000
"""GitHub refuses a file with more results."""

_BRIEF = 1024
"""Characters of a rule's description that GitHub accepts."""

_NAMED = 10
"""Layers of a finding that are named one by one; its label tells them all."""

_LEVELS: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
_SEVERITIES: dict[Severity, str] = {"error": "error", "warning": "warning", "info": "recommendation"}
_PRECISIONS: dict[Confidence, str] = {"certain": "very-high", "high": "high", "heuristic": "medium"}


@report_format("sarif", extension=".sarif")
def sarif(report: Report, options: RenderOptions) -> str:
    """SARIF 2.1.0 for code scanning: rules, and results that stand on a line of a file.

    A finding for which no file is known, and a target that could not be probed, are notifications of the run: GitHub
    refuses the whole file for one result without a place. Fixes are text in the message, since a change of an ``init:``
    is no replacement of the region that was found.
    """
    found = [(one, place_of(one.entry, one.finding, options)) for one in identified(report)]
    found.sort(key=lambda pair: -SEVERITIES.index(pair[0].finding.severity))
    placed = [(one, place) for one, place in found if place is not None]
    rules = _rules([one.finding.rule for one, _ in placed])
    driver: dict[str, Any] = {"name": "initprobe", "rules": [_rule(card) for card in rules]}
    if report.environment is not None:
        driver["version"] = visible(report.environment.initprobe)
    notifications = [_failure(entry, options) for entry in report.entries if entry.failure is not None]
    notifications += [_unplaced(one) for one, place in found if place is None]
    if len(placed) > _MOST:
        notifications.append(_notification("warning", f"{len(placed) - _MOST} more findings are left out"))
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"initprobe/{quote(report.command, safe='')}/"},
        "invocations": [
            {
                "executionSuccessful": all(entry.failure is None for entry in report.entries),
                "toolExecutionNotifications": notifications,
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, place, rules) for one, place in placed[:_MOST]],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rules(cards: Sequence[RuleCard]) -> list[RuleCard]:
    return sorted({card.code: card for card in cards}.values(), key=lambda card: card.code)


def _rule(card: RuleCard) -> dict[str, Any]:
    doc = card.doc or card.summary
    lines = visible_lines(doc, 1000)
    explain = f"initprobe explain {visible(card.code)}"
    return {
        "id": visible(card.code),
        "name": visible(card.name),
        "shortDescription": {"text": visible(card.summary, _BRIEF - 30)},
        "fullDescription": {"text": visible(_what_it_does(doc) or card.summary, _BRIEF - 30)},
        "help": {
            "text": "\n".join([*lines, "", explain]),
            "markdown": "\n".join([_markdown(lines), "", f"`{explain}`"]),
        },
        "defaultConfiguration": {"level": _LEVELS[card.severity]},
        "properties": {
            "precision": _PRECISIONS[card.confidence],
            "problem.severity": _SEVERITIES[card.severity],
            "tags": ["initialization", visible(card.code)[:3]],
        },
    }


def _what_it_does(doc: str) -> str:
    """The first section of a rule's documentation, on one line."""
    found = re.search(r"(?ms)^What it does:\n(.*?)(?=^\S|\Z)", doc)
    return " ".join(found[1].split()) if found else ""


def _markdown(lines: Sequence[str]) -> str:
    """Sections as bold heads above their text, and the text without its indentation and without HTML."""
    escaped = [line.replace("&", "&amp;").replace("<", "&lt;") for line in lines]
    heads = [re.sub(r"^(\S[^:]*):$", r"**\1**\n", line) for line in escaped]
    return "\n".join(inspect.cleandoc(line) for line in heads)


def _result(one: Identified, place: Location, rules: Sequence[RuleCard]) -> dict[str, Any]:
    finding = one.finding
    lines = [visible(finding.message, 1000), *(f"{name}: {text}" for name, text in details(finding))]
    lines += [NEAREST] if place.approximate else []
    result: dict[str, Any] = {
        "ruleId": visible(finding.rule.code),
        "ruleIndex": [card.code for card in rules].index(finding.rule.code),
        "level": _LEVELS[finding.severity],
        "message": _message("\n".join(lines)),
        "locations": [_location(place, finding.sites, finding.parameters)],
        "partialFingerprints": {"primaryLocationLineHash": f"{one.fingerprint}:1"},
        "properties": _properties(one),
    }
    if finding.suppressed is not None:
        result["suppressions"] = [{"kind": "external", "justification": visible(finding.suppressed, 1000)}]
    return result


def _properties(one: Identified) -> dict[str, Any]:
    entry, finding = one.entry, one.finding
    found: dict[str, Any] = {
        "target": visible(plain_fields(entry.request.target)["text"]),
        "scheme": visible(entry.scheme),
        "seeds": list(entry.seeds),
    }
    if finding.fix is not None:
        texts = {"summary": finding.fix.summary, "verified": finding.fix.verified}
        long = {"yaml": finding.fix.yaml, "python": finding.fix.python}
        found["fix"] = {name: visible(text, 1000) for name, text in texts.items()}
        found["fix"] |= {name: "\n".join(visible_lines(text)) for name, text in long.items() if text}
    return found


def _location(place: Location, sites: Sequence[str] = (), parameters: Sequence[str] = ()) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": place.line}
    if place.end_column is not None and not place.approximate:
        region |= {"startColumn": place.column, "endColumn": place.end_column}
    found: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": _uri(place.file)}, "region": region}}
    named = [(key, "module") for key in sites] or [(name, "variable") for name in parameters]
    if named:
        found["logicalLocations"] = [
            {"fullyQualifiedName": visible(name) or "(model)", "kind": kind} for name, kind in named[:_NAMED]
        ]
    return found


def _uri(file: str) -> str:
    """Relative to the root of the sources; absolute for a file outside of them."""
    encoded = quote(file.encode("utf-8", "surrogatepass"))
    if file.startswith("/"):
        return f"file://{encoded}"
    return f"file:///{encoded}" if re.match(r"[A-Za-z]:/", file) else encoded


def _failure(entry: Entry, options: RenderOptions) -> dict[str, Any]:
    message = "\n".join(visible_lines(entry.failure.message if entry.failure else ""))
    place = place_of(entry, None, options)
    return _notification("error", message) | ({"locations": [_location(place)]} if place is not None else {})


def _unplaced(one: Identified) -> dict[str, Any]:
    finding = one.finding
    text = f"{visible(finding.rule.code)} {visible(finding.rule.name)}: {visible(finding.message, 1000)}"
    return _notification(_LEVELS[finding.severity], "\n".join([text, *(f"{k}: {v}" for k, v in details(finding))]))


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": _message(text)}


def _message(text: str) -> dict[str, str]:
    """A message in which no name becomes a link (section 3.11.6: ``[text](destination)``)."""
    return {"text": text.replace("](", "] (")}
