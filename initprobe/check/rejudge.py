"""What was measured before is judged by what is asked for now: findings are read again, nothing is measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from initprobe.check.found_changes import find_changes, is_change
from initprobe.check.ignores import ignores_of
from initprobe.check.judge import decide
from initprobe.check.limits import resolve
from initprobe.check.places import Place, of_module, of_site, of_tensor, of_weight
from initprobe.check.policy import PARTLY, Policy
from initprobe.check.rules.base import RULES
from initprobe.check.selection import select
from initprobe.check.undecided import Undecided, find_undecided, open_ones
from initprobe.check.wording import listing
from initprobe.records import COSTLY, SEVERITIES, CheckRequest, Entry, Finding


def rejudge(entry: Entry, request: CheckRequest) -> Entry:
    """The entry under another request: rules selected away are gone, severities and suppressions are those of now.

    A rule that did not run then has nothing to say now, and limits are those of then: both need the measurements. What
    changed since an earlier measurement is read off the difference anew.

    Raises:
        UsageError: the request names what is not there.
    """
    selection, policy = select(request), _policy(entry, request)
    asked = replace(entry, request=replace(entry.request, check=request))
    if entry.failure is not None:
        return asked
    codes = {rule.card.code for rule in selection.rules}
    places = _places(entry)
    kept = [
        _under(finding, policy, places)
        for finding in entry.findings
        if finding.rule.code in codes or (finding.rule.name not in RULES and not request.select)
    ]
    names = {rule.card.name for rule in selection.rules}
    checked = tuple(name for name in entry.checked if name in names or name not in RULES)
    return compared(replace(asked, findings=tuple(kept), checked=checked))


def with_absent(entry: Entry) -> Entry:
    """The entry with a note about the rules that are asked now and did not look when it was measured.

    Others were selected then, or it was no ``check``, which measures more.
    """
    request = entry.request.check
    unmade = frozenset[str]() if request.complete else COSTLY
    absent = [
        rule.card.name
        for rule in select(request).rules
        if not rule.compares and (rule.card.name not in entry.checked or not unmade.isdisjoint(rule.needs))
    ]
    notes = [note for note in entry.notes if not note.startswith(_ABSENT)]
    notes += [f"{_ABSENT}{listing(absent)}"] if entry.checked and absent else []
    return replace(entry, notes=tuple(notes))


_ABSENT = "did not look when this was measured: "


def compared(entry: Entry) -> Entry:
    """The entry with what the rules about changes find in its difference, and the verdict that this comes to."""
    changes = find_changes(entry, _policy(entry, entry.request.check))
    looked = [rule.card.name for rule in select(entry.request.check).rules if rule.compares]
    others = [name for name in entry.checked if name not in RULES or not RULES[name].compares]
    return decided(
        replace(
            entry,
            findings=in_order([*(one for one in entry.findings if not is_change(one)), *changes]),
            checked=(*others, *(looked if entry.difference is not None else ())),
        )
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most severe first, and what is suppressed last."""
    return tuple(sorted(findings, key=lambda one: (one.suppressed is not None, -SEVERITIES.index(one.severity))))


def decided(entry: Entry) -> Entry:
    """The entry with the verdict that its findings come to under its own request."""
    request = entry.request.check
    verdict = decide(entry.findings, _undecided(entry), request.fail_on, strict=request.strict)
    if verdict == "pass" and entry.verdict == "inconclusive" and _left_open(entry):
        verdict = "fail" if request.strict else "inconclusive"
    return replace(entry, verdict=verdict)


def _left_open(entry: Entry) -> bool:
    """Whether fresh seeds left something open, which no interval shows."""
    counted = [finding for finding in entry.findings if finding.suppressed is None]
    return entry.request.check.fail_on != "never" and any(finding.unconfirmed for finding in counted)


def _places(entry: Entry) -> dict[str, Place]:
    """Where each site and each parameter lives, by the name that findings have for it."""
    weights = {one.weight.name: of_weight(one.weight) for one in entry.weights}
    return weights | {one.site.key: of_site(one.site) for one in entry.sites}


def _under(finding: Finding, policy: Policy, places: Mapping[str, Place]) -> Finding:
    named = finding.about or finding.sites or finding.parameters
    about = [_place(name, places) for name in named]
    partly = policy.partly(finding.rule, about)
    notes = [note for note in finding.notes if not note.endswith(PARTLY)] + ([partly] if partly else [])
    suppressed = policy.suppression(finding.rule, about)
    return replace(policy.weighed(finding), suppressed=suppressed, notes=tuple(notes))


def _place(name: str, places: Mapping[str, Place]) -> Place:
    """Where something of that name lives; what is neither a site nor a parameter is a module or a buffer."""
    if name in places:
        return places[name]
    owns = any(f"{place.module}.".startswith(f"{name}.") for place in places.values())
    return of_module(name) if owns else of_tensor(name)


def _policy(entry: Entry, request: CheckRequest) -> Policy:
    """The policy, with what is written beside the layers."""
    sites, weights = (one.site for one in entry.sites), (one.weight for one in entry.weights)
    return replace(select(request).policy, ignores=ignores_of(request, sites, weights))


def _undecided(entry: Entry) -> tuple[Undecided, ...]:
    """The drifts that the measurement left open, but for those that somebody has suppressed."""
    told = [finding for finding in entry.findings if finding.rule.code == "IP006"]
    if told and all(finding.suppressed is not None for finding in told):
        return ()
    found = find_undecided(
        entry.segments,
        [rule.card for rule in select(entry.request.check).rules],
        _policy(entry, entry.request.check),
        resolve(entry.request.check.thresholds),
        _places(entry),
    )
    return open_ones(found)
