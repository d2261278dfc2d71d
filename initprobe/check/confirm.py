"""Before a check turns red, fresh seeds have to say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from initprobe.check.judge import decide
from initprobe.check.wording import count
from initprobe.records import SEVERITIES, CheckRequest, Finding, Judgement, RuleCard

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

    A finding is repeated where the same rule finds something at one of the same sites that would fail the check too.
    One that is not becomes a note of rule IP006, and a check that fails on nothing else is ``inconclusive``.

    Args:
        first: fails.
        again: of seeds that the first one did not see.
        request: what fails a check.
        seeds: the fresh ones.
        unconfirmed: the card of IP006.
    """
    lost = [one for one in first.findings if _doubtful(one, request) and not _repeated(one, again.findings, request)]
    which = f"{count(len(seeds), 'fresh seed')} ({seeds[0]} to {seeds[-1]})"
    if not lost:
        return replace(first, notes=(*first.notes, f"confirmed on {which}"))
    more = 4 * len(seeds)
    kept = tuple(_told(one, which, unconfirmed, request, more) if one in lost else one for one in first.findings)
    verdict = decide(kept, (), request.fail_on)
    if verdict == "pass":
        verdict = "fail" if request.strict else "inconclusive"
    return replace(first, verdict=verdict, findings=kept)


def _doubtful(finding: Finding, request: CheckRequest) -> bool:
    return finding.rule.confidence != "certain" and _fails(finding, request)


def _fails(finding: Finding, request: CheckRequest) -> bool:
    if request.fail_on == "never" or finding.suppressed is not None:
        return False
    return SEVERITIES.index(finding.severity) >= SEVERITIES.index(request.fail_on)


def _repeated(finding: Finding, again: Sequence[Finding], request: CheckRequest) -> bool:
    sites = set(finding.sites)
    return any(
        other.rule.code == finding.rule.code
        and _fails(other, request)
        and (not sites or not sites.isdisjoint(other.sites))
        for other in again
    )


def _told(finding: Finding, which: str, card: RuleCard, request: CheckRequest, seeds: int) -> Finding:
    return replace(
        finding,
        rule=card,
        severity="error" if request.strict else card.severity,
        message=f"{finding.rule.name} is not confirmed: {which} do not show it ({finding.message})",
        notes=(*finding.notes, f"the draws differ too much for so few of them: --seeds {seeds}"),
    )
