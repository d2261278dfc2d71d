"""Before a check turns red, fresh seeds have to say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from initprobe.check.judge import decide
from initprobe.check.wording import count
from initprobe.records import SEVERITIES, CheckRequest, Finding, Judgement, RuleCard, Severity

INCONCLUSIVE = "IP006"
"""The rule in whose name an accusation that is not repeated is told."""


def doubtful(judgement: Judgement, request: CheckRequest) -> bool:
    """Whether a judgement fails on something that other seeds might not show.

    What a rule is certain of (a value that is not finite, a weight that is constant) needs no second look.
    """
    return judgement.verdict == "fail" and any(_doubtful(finding, request) for finding in judgement.findings)


def confirm(
    first: Judgement, again: Judgement, request: CheckRequest, seeds: Sequence[int], unconfirmed: RuleCard
) -> Judgement:
    """The first judgement, without the accusations that a judgement of fresh seeds does not repeat.

    A finding is repeated where the same rule finds something at one of the same sites. One that comes out less severe
    is told as that, one that is not repeated becomes a note of rule IP006; a check that fails on nothing else is
    ``inconclusive``.

    Args:
        first: fails.
        again: of seeds that the first one did not see.
        request: what fails a check.
        seeds: the fresh ones.
        unconfirmed: the card of IP006.
    """
    fresh = f"{count(len(seeds), 'fresh seed')} ({seeds[0]} to {seeds[-1]})"
    more = f"the draws differ too much for so few of them: --seeds {4 * len(seeds)}"
    kept = []
    for finding in first.findings:
        severity = _repeated(finding, again.findings) if _doubtful(finding, request) else finding.severity
        if severity is None:
            kept.append(_unconfirmed(finding, fresh, more, unconfirmed, request))
        elif SEVERITIES.index(severity) < SEVERITIES.index(finding.severity):
            told = f"{fresh} find it no more than {severity}"
            kept.append(replace(finding, severity=severity, notes=(*finding.notes, told, more), unconfirmed=True))
        else:
            kept.append(finding)
    if tuple(kept) == first.findings:
        return replace(first, notes=(*first.notes, f"confirmed on {fresh}"))
    verdict = decide(kept, (), request.fail_on)
    if verdict == "pass":
        verdict = "fail" if request.strict else "inconclusive"
    return replace(first, verdict=verdict, findings=tuple(kept))


def _doubtful(finding: Finding, request: CheckRequest) -> bool:
    return finding.rule.confidence != "certain" and _fails(finding, request)


def _fails(finding: Finding, request: CheckRequest) -> bool:
    if request.fail_on == "never" or finding.suppressed is not None:
        return False
    return SEVERITIES.index(finding.severity) >= SEVERITIES.index(request.fail_on)


def _repeated(finding: Finding, again: Sequence[Finding]) -> Severity | None:
    """How severe fresh seeds find the same thing, None where they do not find it."""
    places = set(finding.sites or finding.parameters)
    found = [
        other.severity
        for other in again
        if other.rule.code == finding.rule.code
        and (not places or not places.isdisjoint(other.sites or other.parameters))
    ]
    return max(found, key=SEVERITIES.index, default=None)


def _unconfirmed(finding: Finding, fresh: str, more: str, card: RuleCard, request: CheckRequest) -> Finding:
    return replace(
        finding,
        rule=card,
        severity="error" if request.strict else card.severity,
        overruled=card.severity if request.strict else None,
        message=f"{finding.rule.name} is not confirmed: {fresh} do not show it ({finding.message})",
        notes=(*finding.notes, more),
        unconfirmed=True,
    )
