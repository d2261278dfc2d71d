"""JUnit XML: every rule is a test of every target, also the rules that found nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from initprobe.records import SEVERITIES, Entry, Finding, Gain, Location, Report, Segment
from initprobe.report.diagnostic import details, location_text
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.layers import fold
from initprobe.report.phrases import titles
from initprobe.report.place import place_of
from initprobe.report.visible import visible, visible_lines

Outcome = Literal["passed", "failure", "error", "skipped"]

_KINDS: Sequence[Outcome] = ("failure", "error", "skipped")
_UNDECIDED = "IP006"
_SIGNS = {"vanishing": -1, "exploding": 1}


@dataclass(frozen=True, slots=True)
class _Case:
    """One test.

    Attributes:
        name: the rule, and the layers that it looked at.
        brief: one line for what did not pass.
        text: everything else.
    """

    name: str
    outcome: Outcome = "passed"
    brief: str = ""
    text: str = ""
    finding: Finding | None = None


@report_format("junit", extension=".xml")
def junit(report: Report, options: RenderOptions) -> str:
    """JUnit XML: a suite per target, a test per rule and group of layers, passes included.

    A finding at or above ``--fail-on`` is a failure, what could not be decided and what is suppressed is skipped, and a
    target that could not be probed is an error.
    """
    names = titles(report.entries)
    root = ET.Element("testsuites", name="initprobe")
    suites = [(name, entry, _cases(entry)) for name, entry in zip(names, report.entries, strict=True)]
    _count(root, [case for _, _, cases in suites for case in cases])
    del root.attrib["skipped"]  # which that element has not
    for name, entry, cases in suites:
        suite = ET.SubElement(root, "testsuite", name=name)
        _count(suite, cases)
        _properties(suite, entry, report)
        for case in cases:
            told = case.finding is not None or case.outcome == "error"
            _write(suite, name, case, place_of(entry, case.finding, options) if told else None)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _cases(entry: Entry) -> list[_Case]:
    if entry.failure is not None:
        first, *more = visible_lines(entry.failure.message)
        return [_Case("target", "error", first, "\n".join([first, *more]))]
    cases = [_found(entry, finding) for finding in entry.findings]
    told = {(visible(finding.rule.name), _layers(finding.sites)) for finding in entry.findings}
    with_findings = {finding.rule.name for finding in entry.findings}
    for rule in entry.checked:
        gains = list(_gains(rule, entry.segments))
        cases += [_judged(rule, layers, gain) for layers, gain in gains if (visible(rule), layers) not in told]
        if not gains and rule not in with_findings:
            cases.append(_Case(visible(rule)))
    return cases


def _found(entry: Entry, finding: Finding) -> _Case:
    layers = _layers(finding.sites or finding.parameters or finding.about)
    name = f"{visible(finding.rule.name)}: {layers}" if layers else visible(finding.rule.name)
    brief = visible(finding.message, 1000)
    text = "\n".join([brief, *(f"{key}: {value}" for key, value in details(finding))])
    if finding.suppressed is not None:
        return _Case(name, "skipped", f"suppressed: {visible(finding.suppressed)}", text, finding)
    fail_on = entry.request.check.fail_on
    if fail_on != "never" and SEVERITIES.index(finding.severity) >= SEVERITIES.index(fail_on):
        return _Case(name, "failure", brief, text, finding)
    return _Case(name, "skipped" if finding.rule.code == _UNDECIDED else "passed", brief, text, finding)


def _judged(rule: str, layers: str, gain: Gain) -> _Case:
    """A stream in which a drift rule found nothing: it passed, or nobody knows."""
    name = f"{visible(rule)}: {layers}"
    if gain.status == "unjudged":
        return _Case(name, "skipped", f"not judged: {visible(gain.reason or 'no reason given')}")
    sign = _SIGNS[rule.partition("-")[0]]
    other_way = gain.drift.low >= 1 if sign < 0 else gain.drift.high <= 1
    if gain.status == "inconclusive" and not other_way:
        return _Case(name, "skipped", f"inconclusive: drift between ×{gain.drift.low:.3g} and ×{gain.drift.high:.3g}")
    return _Case(name)


def _gains(rule: str, segments: Sequence[Segment]) -> Iterator[tuple[str, Gain]]:
    """The streams that a drift rule judges, with what it judges; nothing for every other rule."""
    sign, _, side = rule.partition("-")
    if sign in _SIGNS and side in {"forward", "backward"}:
        for segment in segments:
            gain = segment.forward if side == "forward" else segment.backward
            if gain is not None:
                yield _layers(segment.sites), gain


def _layers(sites: Sequence[str]) -> str:
    """The layers in words that do not move with the numbers that were measured there."""
    folds = fold(sites, [None] * len(sites))
    if len(folds) <= 3:
        return ", ".join(found.label for found in folds)
    return f"{folds[0].label} … {folds[-1].label}"


def _count(element: ET.Element, cases: Sequence[_Case]) -> None:
    element.set("tests", str(len(cases)))
    for kind, plural in zip(_KINDS, ("failures", "errors", "skipped"), strict=True):
        element.set(plural, str(sum(case.outcome == kind for case in cases)))


def _properties(suite: ET.Element, entry: Entry, report: Report) -> None:
    found = {
        "target": visible(entry.request.target.text),
        "scheme": visible(entry.scheme),
        "seeds": "one draw" if entry.one_draw else ",".join(map(str, entry.seeds)),
        "verdict": entry.verdict or "",
    }
    if report.environment is not None:
        found |= {"torch": report.environment.torch, "initprobe": report.environment.initprobe}
    properties = ET.SubElement(suite, "properties")
    for name, value in found.items():
        ET.SubElement(properties, "property", name=name, value=visible(value))


def _write(suite: ET.Element, name: str, case: _Case, place: Location | None) -> None:
    element = ET.SubElement(suite, "testcase", classname=name, name=case.name)
    # in the text: the strict schema of Jenkins knows no attribute for it
    text = f"{case.text}\nplace: {location_text(place)}" if place is not None else case.text
    if case.outcome in {"failure", "error"}:
        kind = visible(case.finding.rule.code) if case.finding is not None else "target"
        ET.SubElement(element, case.outcome, type=kind, message=case.brief).text = text
        return
    if case.outcome == "skipped":
        ET.SubElement(element, "skipped", message=case.brief)
    if text:
        ET.SubElement(element, "system-out").text = text
