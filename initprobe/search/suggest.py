"""Looks for an init that makes a check pass, and believes only what it has probed.

Candidates are screened on the first seeds of the check (common random numbers: what differs is the init). The best of
them are then probed like a check of its own, on seeds that nothing was chosen by, so that a fix is no product of luck.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from initprobe.errors import InitprobeError
from initprobe.load.init_text import init_section
from initprobe.load.reading import STDIN
from initprobe.load.sources.base import Target
from initprobe.load.sources.yaml import is_spec
from initprobe.load.target import open_target
from initprobe.pipeline import Listener, probe_target
from initprobe.records import SEVERITIES, Entry, Environment, Finding, Fix, Gain, ProbeRequest, Report, Request
from initprobe.report.numbers import interval, plural, ranges
from initprobe.report.ranking import distance
from initprobe.search.candidates import candidates
from initprobe.search.change import Candidate
from initprobe.search.init_function import InexpressibleError, calling_function, plain_function
from initprobe.search.pasted import PastedTarget

HEALABLE = ("IP1", "IP2", "IP3", "IP4", "IP5", "IP6", "IP7")
"""Families of rules whose findings other weights may heal."""

SCREENING_SEEDS = 2

SHOWN = 3
"""Candidates that are enough: screening ends when so many heal everything, and verifying when so many hold."""

NEAR = math.log(10.0)
"""Drifts within the same power of ten, beyond which a check warns, are alike: the recommended one counts."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate and what was measured with it.

    Attributes:
        left: what it does not heal of what was there.
        new: how many errors and warnings it brings.
    """

    candidate: Candidate
    entry: Entry
    left: tuple[Finding, ...]
    new: int

    @property
    def clean(self) -> bool:
        """Whether nothing is left to heal."""
        return not self.left and not self.new

    @property
    def rank(self) -> tuple[int, int, float]:
        """What leaves less comes first, then what changes less, then what keeps signal and gradient better."""
        away = distance(self.entry)
        return len(self.left) + self.new, self.candidate.size, away // NEAR if away is not None else 0.0


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The answer.

    Attributes:
        before: what was probed; its findings carry their fixes.
        entries: the verified candidates, the best first, each with its ``change``; where there is none, those that came
            nearest, unverified.
        verified: how many of these are verified.
        tried: how many candidates were probed.
        refused: candidates that the network does not take, and why.
        reason: why nothing was looked for, None where something was.
        spec: whether the target is the file of one, so that the change belongs into its ``init:``.
        environment: of the report.
    """

    before: Entry
    entries: tuple[Entry, ...] = ()
    verified: int = 0
    tried: int = 0
    refused: tuple[str, ...] = ()
    reason: str | None = None
    spec: bool = False
    environment: Environment | None = None

    @property
    def settled(self) -> bool:
        """Whether a change was verified, or nothing is wrong."""
        return self.verified > 0 or (self.before.verdict != "fail" and not healable(self.before))

    @property
    def report(self) -> Report:
        """The network as it is, then what was probed."""
        notes = [f"nothing to suggest: {self.reason}"] if self.reason is not None else []
        notes += [f"{plural(self.tried, 'probe')}, {plural(self.verified, 'change')} verified"] if self.tried else []
        notes += [f"not for this network: {text}" for text in self.refused]
        before = replace(self.before, notes=(*self.before.notes, *notes))
        return Report("suggest", (before, *self.entries), self.environment)


def healable(entry: Entry, *, infos: bool = False) -> tuple[Finding, ...]:
    """The findings that count and that other weights may heal: errors and warnings.

    Args:
        entry: what was found.
        infos: whether those are meant that are neither, where there is nothing worse.
    """
    names = {one.weight.name for one in entry.weights}
    found = tuple(
        finding
        for finding in entry.findings
        if finding.suppressed is None
        and finding.rule.code.startswith(HEALABLE)
        and not (finding.parameters and names.isdisjoint(finding.parameters))  # no scheme draws a buffer
    )
    worse = tuple(finding for finding in found if finding.severity != "info")
    return worse or (found if infos else ())


def find_fixes(
    before: Report, listen: Listener = lambda _line: None, *, target: Target | None = None, code: bool | None = None
) -> Suggestions:
    """As ``suggest``, for the first entry of a report, infos too; its target is opened again where it is not given."""
    entry = before.entries[0]
    if (reason := out_of_scope(entry, infos=True)) is not None:  # and who knows whether it can be opened
        return Suggestions(entry, reason=reason, environment=before.environment)
    opened = target or open_target(entry.request.target)
    found = suggest(opened, entry, listen, code=code, infos=True)
    return replace(found, environment=before.environment, spec=is_spec(entry.request.target.text))


def suggest(
    target: Target,
    entry: Entry,
    listen: Listener = lambda _line: None,
    *,
    code: bool | None = None,
    infos: bool = False,
) -> Suggestions:
    """Look for an init with which the check of a target passes.

    Args:
        target: what was probed.
        entry: what the probe found; its request is what candidates are probed with.
        listen: hears what happens next.
        code: whether the best change is wanted as a function to paste; None where the target is no spec.
        infos: whether findings that are no more than that are to be healed, where there is nothing worse.
    """
    if (reason := out_of_scope(entry, infos=infos)) is not None:
        return Suggestions(entry, reason=reason)
    ills = healable(entry, infos=infos)
    search = _Search(target, entry, ills, listen)
    screened = search.screen(candidates(entry, ills))
    verified = search.verify([one for one in screened if search.promising(one)])
    shown = verified or screened[:SHOWN]
    entries = [_changed(one, ills[0], verified=bool(verified)) for one in shown]
    if verified and (target.sections is None if code is None else code):
        entries[0] = search.with_function(entries[0], verified[0])
    before = _with_fixes(entry, ills, entries if verified else ())
    return Suggestions(before, tuple(entries), len(verified), search.tried, tuple(search.refused))


def _with_fixes(entry: Entry, ills: Sequence[Finding], healed: Sequence[Entry]) -> Entry:
    """The entry, each of these findings with the first of these changes that makes it go away."""
    fixed = [_with_fix(finding, healed) if finding in ills else finding for finding in entry.findings]
    return replace(entry, findings=tuple(fixed))


def _with_fix(finding: Finding, healed: Sequence[Entry]) -> Finding:
    best = next((one for one in healed if heals(one, finding)), None)
    best = best or next((one for one in healed if eases(one, finding)), None)
    if best is None or best.change is None:
        return finding
    return replace(finding, fix=replace(best.change, verified=_measured(finding, best)))


def out_of_scope(entry: Entry, *, infos: bool = False) -> str | None:
    """Why nothing can be suggested, None where something may; ``infos`` as in ``healable``."""
    if entry.failure is not None:
        return "it could not be probed"
    if not healable(entry, infos=infos):
        return "the check found nothing that a fresh draw of the weights would heal"
    if entry.request.target.text == STDIN:
        return "standard input can be read once"
    if entry.request.target.weights is not None:
        return "the weights come from a file, and a scheme would draw over them"
    return None


class _Search:
    """Probes one target under one init after another."""

    def __init__(self, target: Target, before: Entry, ills: Sequence[Finding], listen: Listener) -> None:
        self.target = target
        self.before = before
        self.ills = ills
        self.listen = listen
        self.tried = 0
        self.refused: list[str] = []
        self.used = set(before.seeds)

    def screen(self, found: Sequence[Candidate]) -> list[Tried]:
        """Every candidate on few seeds, the same for all, until enough of them are clean; the best first.

        Once one is clean, the next few are tried for what is better or else to be had, and no more.
        """
        probe = self.before.request.probe
        few = replace(probe, seeds=probe.seeds[:SCREENING_SEEDS], max_seeds=SCREENING_SEEDS)
        screened: list[Tried] = []
        for place, candidate in enumerate(found, 1):
            self.listen(f"candidate {place} of {len(found)}: {candidate.summary}")
            one = self._probe(candidate, few)
            if one is None:
                continue
            self.used.update(one.entry.seeds)
            screened.append(one)
            clean = [self.promising(other) and other.clean for other in screened]
            if sum(clean) >= SHOWN or any(clean[:-SHOWN]):
                break
        return sorted(screened, key=lambda one: (not self.promising(one), one.rank))

    def verify(self, promising: Sequence[Tried]) -> list[Tried]:
        """The promising ones on fresh seeds, until enough of them hold; the best first."""
        held: list[Tried] = []
        probe = replace(self.before.request.probe, seeds=self._fresh())
        for one in promising[: 2 * SHOWN]:
            self.listen(f"verifying {one.candidate.summary} on seeds {ranges(probe.seeds)}")
            again = self._probe(one.candidate, probe)
            if again is not None and again.entry.verdict == "pass" and self.promising(again):
                held.append(again)
            if len(held) == SHOWN:
                break
        return sorted(held, key=lambda one: one.rank)

    def promising(self, one: Tried) -> bool:
        """Whether it heals or eases one of the worst findings, and brings none as bad as they are."""
        worst = max(SEVERITIES.index(finding.severity) for finding in self.ills)
        known = _codes(self.before)
        new = [
            finding
            for finding in one.entry.findings
            if finding.suppressed is None
            and SEVERITIES.index(finding.severity) >= worst
            and finding.rule.code not in known
        ]
        better = any(SEVERITIES.index(finding.severity) == worst and eases(one.entry, finding) for finding in self.ills)
        return one.entry.verdict != "fail" and better and not new

    def with_function(self, entry: Entry, best: Tried) -> Entry:
        """The best entry with a function to paste, where one passes as well."""
        code = self.function(best.candidate, best.entry)
        return entry if entry.change is None else replace(entry, change=replace(entry.change, python=code))

    def function(self, candidate: Candidate, entry: Entry) -> str:
        """A function to paste, run before anybody sees it; empty where none can be had."""
        self.listen("verifying the function to paste")
        request = self.before.request
        own = Request(request.target, probe=replace(request.probe, seeds=entry.seeds), check=request.check)
        for takes_inputs in (False, True):
            try:
                code = calling_function(candidate.init) if takes_inputs else plain_function(candidate.init, entry)
                pasted = probe_target(PastedTarget(self.target, code, takes_inputs), own, self.listen)
            except (InexpressibleError, InitprobeError):
                continue
            if self.promising(self._judged(candidate, pasted)):  # it is the same init: that one passed
                return code
        return ""

    def _probe(self, candidate: Candidate, probe: ProbeRequest) -> Tried | None:
        request = replace(self.before.request, init=candidate.init, probe=probe, typed=())
        try:
            entry = probe_target(self.target, request, self.listen)
        except InitprobeError as error:  # a scheme that this network does not take
            self.refused.append(f"{candidate.summary}: {error}")
            return None
        self.tried += 1
        return self._judged(candidate, entry)

    def _judged(self, candidate: Candidate, entry: Entry) -> Tried:
        known = _codes(self.before)
        left = tuple(finding for finding in self.ills if not heals(entry, finding))
        active = [one for one in entry.findings if one.suppressed is None and one.severity != "info"]
        return Tried(candidate, entry, left, sum(finding.rule.code not in known for finding in active))

    def _fresh(self) -> tuple[int, ...]:
        """As many seeds as were asked for, and none that a candidate was chosen by."""
        first = max(self.used) + 1
        if first + 2 * self.before.request.probe.max_seeds >= 2**63:
            first = 0
        unused = (seed for seed in itertools.count(first) if seed not in self.used)
        return tuple(itertools.islice(unused, len(self.before.request.probe.seeds)))


def heals(after: Entry, finding: Finding) -> bool:
    """Whether a finding is gone."""
    return finding.rule.code not in _codes(after) and not _lost(after, finding)


def eases(after: Entry, finding: Finding) -> bool:
    """Whether a finding is gone, or at least less severe."""
    left = [SEVERITIES.index(one.severity) for one in _alike(after, finding)]
    return max(left, default=-1) < SEVERITIES.index(finding.severity) and not _lost(after, finding)


def _lost(after: Entry, finding: Finding) -> bool:
    """Whether a finding may just be out of sight: a gradient that is zero everywhere vanishes nowhere."""
    gain = _gain(finding, after)
    return finding.rule.name.endswith(("-forward", "-backward")) and gain is not None and gain.status == "unjudged"


def _alike(after: Entry, finding: Finding) -> list[Finding]:
    return [one for one in after.findings if one.suppressed is None and one.rule.code == finding.rule.code]


def _gain(finding: Finding, after: Entry) -> Gain | None:
    """The gain of the stream that shares the most sites with a finding, in its direction."""
    sites = set(finding.sites)
    found = [segment for segment in after.segments if sites & set(segment.sites)]
    segment = max(found, key=lambda one: len(sites & set(one.sites)), default=None)
    if segment is None:
        return None
    return segment.backward if finding.rule.code.startswith("IP2") else segment.forward


def _codes(entry: Entry) -> set[str]:
    return {finding.rule.code for finding in entry.findings if finding.suppressed is None}


def _changed(one: Tried, worst: Finding, *, verified: bool) -> Entry:
    """What was measured with a candidate, and the change itself."""
    measured = _measured(worst, one.entry) if verified else ""
    candidate = one.candidate
    fix = Fix(candidate.summary, measured, init_section(candidate.init), reason=candidate.reason)
    return replace(one.entry, scheme=candidate.summary, change=fix)


def _measured(finding: Finding, after: Entry) -> str:
    """The gain where the finding was, and that it is gone: ``0.996 [0.987, 1.004] per layer, finding gone``."""
    gain = _gain(finding, after)
    seeds = "one draw" if after.one_draw else f"fresh seeds {ranges(after.seeds)}"
    told = f"{interval(gain.per_layer)} per layer, " if gain is not None and gain.status != "unjudged" else ""
    left = max(_alike(after, finding), key=lambda one: SEVERITIES.index(one.severity), default=None)
    return f"{told}{'finding gone' if left is None else f'{left.severity} left'}, {seeds}"
