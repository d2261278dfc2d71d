"""Evidence becomes a verdict, or the wish for more seeds. A pure function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from initprobe.check.case import Case, Facts
from initprobe.check.causes import attribute
from initprobe.check.expected import with_expected
from initprobe.check.ignores import ignores_of
from initprobe.check.interval import CONFIDENCE
from initprobe.check.limits import resolve
from initprobe.check.looks import LookPlan
from initprobe.check.places import of_site
from initprobe.check.residual import residual_streams
from initprobe.check.segments import Judging, fit_segments
from initprobe.check.selection import Selection, select
from initprobe.check.signals import Signals
from initprobe.check.undecided import Undecided, find_undecided, gains_of, open_ones
from initprobe.check.wording import gain as factor
from initprobe.check.wording import listing, rung
from initprobe.errors import NothingToProbeError
from initprobe.records import (
    COSTLY,
    SEVERITIES,
    Anatomy,
    CheckRequest,
    Evidence,
    Finding,
    Judgement,
    NeedSeeds,
    Prediction,
    Segment,
    Severity,
    Verdict,
)


def validate(request: CheckRequest) -> None:
    """Reject a request that names what is not there, before anything is measured.

    Raises:
        UsageError: an unknown rule or threshold, or a limit that makes no sense.
    """
    select(request)
    resolve(request.thresholds)


def needed(request: CheckRequest) -> tuple[str, ...]:
    """Names of what the selected rules read beyond the core statistics; the costly ones where the verdict counts."""
    names = dict.fromkeys(name for rule in select(request).rules if rule.asks(request) for name in rule.needs)
    return tuple(name for name in names if request.complete or name not in COSTLY)


def judge(
    evidences: Sequence[Evidence],
    request: CheckRequest,
    *,
    one_draw: bool,
    planned: LookPlan,
    expect: Callable[[], Prediction] = Prediction,
) -> Judgement | NeedSeeds:
    """Judge a network over its seeds.

    Args:
        evidences: one per seed, of one network under one init.
        request: which rules count, and their limits.
        one_draw: whether the weights are a single draw; then intervals come from the spread over layers and no seed
            would help.
        planned: the looks that were planned; an interval is as wide as all of them together need.
        expect: says what theory expects of these draws; asked only once nothing more is to be measured.

    Returns:
        The verdict, or ``NeedSeeds`` while a selected rule is undecided and seeds are left.

    Raises:
        NothingToProbeError: no float value was measured anywhere.
        UsageError: the request names what is not there.
    """
    thresholds = resolve(request.thresholds)
    _require_sites(evidences)
    anatomy, signals = evidences[0].anatomy, Signals.of(evidences)
    selection = _for_these(select(request), request, anatomy)
    # A single seed has no spread over seeds; it is read like a single draw until there are more.
    over_layers = one_draw or len(evidences) == 1
    confidence = CONFIDENCE if one_draw else planned.confidence
    judging = Judging(thresholds, "layers" if over_layers else "seeds", confidence, again=planned.again)
    segments = fit_segments(anatomy, signals, judging)
    cards, places = [rule.card for rule in selection.rules], {site.key: of_site(site) for site in anatomy.sites}
    undecided = find_undecided(segments, cards, selection.policy, thresholds, places)
    left_open = open_ones(undecided)
    more = None if one_draw else planned.after(len(evidences))
    if left_open and more is not None:
        return NeedSeeds(more)
    prediction = expect()
    segments = with_expected(segments, prediction)
    facts = Facts(
        tuple(evidences),
        anatomy,
        signals,
        segments,
        undecided,
        thresholds,
        selection.policy,
        one_draw,
        prediction,
        precision=request.precision,
        ran=_ran(selection, request),
        planned=planned,
    )
    findings = _find(facts, selection)
    return Judgement(
        verdict=decide(findings, left_open, request.fail_on, strict=request.strict),
        findings=findings,
        segments=segments,
        notes=(*_notes(segments, findings), *_untold(left_open, findings), *_unseen(anatomy)),
        residual=residual_streams(anatomy, signals),
        checked=tuple(rule.card.name for rule in selection.rules),
    )


def decide(
    findings: Sequence[Finding],
    undecided: Sequence[Undecided],
    fail_on: Severity | Literal["never"],
    *,
    strict: bool = False,
) -> Verdict:
    """The verdict of a check.

    ``fail`` when a finding that counts is at or above ``fail_on``; ``inconclusive`` when none is, but an undecided
    drift could be (a drift that is either fine or a warning leaves a check that fails on errors alone a ``pass``: it is
    told as IP006, and cannot turn the check red); else ``pass``. ``strict`` counts inconclusive as fail.
    """
    if fail_on == "never":
        return "pass"
    bar = SEVERITIES.index(fail_on)
    if any(finding.suppressed is None and SEVERITIES.index(finding.severity) >= bar for finding in findings):
        return "fail"
    worst = (outcome for drift in undecided for outcome in drift.outcomes if outcome is not None)
    if any(SEVERITIES.index(outcome) >= bar for outcome in worst):
        return "fail" if strict else "inconclusive"
    return "pass"


def _for_these(selection: Selection, request: CheckRequest, anatomy: Anatomy) -> Selection:
    """The selection with what is written beside the layers of this network."""
    ignores = ignores_of(request, anatomy.sites, anatomy.weights)
    return replace(selection, policy=replace(selection.policy, ignores=ignores))


def _ran(selection: Selection, request: CheckRequest) -> frozenset[str]:
    """The rules that have all that they read; those about changes are still to come."""
    measured = needed(request)
    ready = (rule for rule in selection.rules if not rule.compares and set(rule.needs) <= set(measured))
    return frozenset(rule.card.code for rule in ready)


def _require_sites(evidences: Sequence[Evidence]) -> None:
    if not any(evidence.trace.sites for evidence in evidences):
        raise NothingToProbeError(
            "no layer was measured: nothing in this network produced a floating-point value",
            hint="check that the forward pass calls its modules",
        )


def _find(facts: Facts, selection: Selection) -> tuple[Finding, ...]:
    """Every finding, root causes only, the most severe first and what is suppressed last.

    A second look is asked for each finding of the first, whatever causes it there.
    """
    found = [finding for rule in selection.rules if not rule.last for finding in rule.find(Case(facts, rule.card))]
    known = replace(facts, findings=tuple(found))
    found += [finding for rule in selection.rules if rule.last for finding in rule.find(Case(known, rule.card))]
    follows = {rule.card.name: rule.follows for rule in selection.rules}
    roots = found if facts.planned.again else attribute(found, follows, facts.anatomy)
    return tuple(
        sorted(roots, key=lambda finding: (finding.suppressed is not None, -SEVERITIES.index(finding.severity)))
    )


def _notes(segments: Sequence[Segment], findings: Sequence[Finding]) -> tuple[str, ...]:
    """What a reader of the verdict must know beside the findings."""
    notes = []
    explained = {key for finding in findings if finding.suppressed is None for key in finding.sites}
    for segment in segments:
        unit = rung(segment.kind)
        if segment.bias_only and segment.pair is not None:
            notes.append(
                f"the forward signal of {segment.label} is only the biases: RMS keeps "
                f"({factor(segment.forward.per_layer.mean)} per {unit}) while the distance between two inputs falls "
                f"×{factor(segment.pair.mean)} per {unit}"
            )
        for direction, gain in gains_of(segment):
            if gain.status == "unjudged" and explained.isdisjoint(segment.sites):
                notes.append(f"the {direction} gain of {segment.label} is not judged: {gain.reason}")
    return tuple(notes)


def _untold(undecided: Sequence[Undecided], findings: Sequence[Finding]) -> tuple[str, ...]:
    """Undecided drifts, where rule IP006 is not there to tell them."""
    if not undecided or any(finding.rule.code == "IP006" for finding in findings):
        return ()
    return tuple(
        f"{drift.card.name} stays undecided for {drift.segment.label}: drift ×{factor(drift.gain.drift.mean)} "
        f"[{factor(drift.gain.drift.low)}, {factor(drift.gain.drift.high)}]"
        for drift in undecided
    )


def _unseen(anatomy: Anatomy) -> tuple[str, ...]:
    """Which recurrent layers run all steps in one call, so that no gain from step to step is judged."""
    keys = {key for stream in anatomy.streams if stream.kind == "recurrent" for key in stream.sites}
    seen = {site.path for site in anatomy.sites if site.key in keys}
    hidden = [weight for weight in anatomy.weights if weight.recurrent == "hidden" and weight.module not in seen]
    layers = list(dict.fromkeys(one.module for one in hidden if not one.module_type.endswith("Cell")))
    if not layers:
        return ()
    return (
        f"the steps of {listing(layers)} are one call, gains from step to step are not judged: call its cell in a loop",
    )
