"""What was measured before is judged by what is asked for now: findings are read again, nothing is measured."""

from __future__ import annotations

from dataclasses import replace

from initprobe.check.ignores import ignores_of
from initprobe.check.judge import decide
from initprobe.check.limits import resolve
from initprobe.check.places import Place, of_site, of_tensor, of_weight
from initprobe.check.policy import Policy
from initprobe.check.rules.base import RULES
from initprobe.check.selection import select
from initprobe.check.undecided import Undecided, find_undecided, open_ones
from initprobe.records import SEVERITIES, CheckRequest, Entry, Finding


def rejudge(entry: Entry, request: CheckRequest) -> Entry:
    """The entry under another request: rules selected away are gone, severities and ignores are those of now.

    A rule that did not run then has nothing to say now, and limits are those of then: both need the measurements.

    Raises:
        UsageError: the request names what is not there.
    """
    selection, policy = select(request), _policy(entry, request)
    asked = replace(entry.request, check=request)
    if entry.failure is not None:
        return replace(entry, request=asked)
    codes = {rule.card.code for rule in selection.rules}
    places = _places(entry)
    kept = (
        _under(finding, policy, places)
        for finding in entry.findings
        if finding.rule.code in codes or (finding.rule.name not in RULES and not request.select)
    )
    findings = tuple(sorted(kept, key=lambda found: (found.suppressed is not None, -SEVERITIES.index(found.severity))))
    return decided(replace(entry, request=asked, findings=findings))


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


def _under(finding: Finding, policy: Policy, places: dict[str, Place]) -> Finding:
    named = finding.sites or finding.parameters
    about = [places[name] if name in places else of_tensor(name) for name in named]
    return replace(
        finding,
        severity=policy.severity(finding.rule, finding.severity),
        suppressed=finding.suppressed or policy.suppression(finding.rule, about),
    )


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
