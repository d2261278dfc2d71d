"""One finding per root cause: what only follows from another finding becomes a note on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from initprobe.records import SEVERITIES, Anatomy, Finding


def attribute(findings: Sequence[Finding], follows: Mapping[str, tuple[str, ...]], anatomy: Anatomy) -> list[Finding]:
    """The findings that stand on their own, each with what follows from it.

    A finding follows from another when its rule says so, the other comes earlier on the signal's way through the
    network and back, counts, and is at least as severe: an error never hides behind a warning. Weights are there before
    any signal: what is said of them belongs to whatever is said of the same layers, before or behind.

    Args:
        findings: all of them.
        follows: rule name to the names of the rules whose findings explain its own.
        anatomy: knows the execution order.
    """
    order = {site.key: site.order for site in anatomy.sites}
    moments = [_moment(finding, order) for finding in findings]
    parents: list[int | None] = [
        next(
            (
                other
                for name in follows.get(finding.rule.name, ())
                for other, cause in enumerate(findings)
                if cause.rule.name == name
                and cause.suppressed is None
                and SEVERITIES.index(cause.severity) >= SEVERITIES.index(finding.severity)
                and _leads_to(cause, finding, moments[other] <= moments[index])
            ),
            None,
        )
        for index, finding in enumerate(findings)
    ]
    roots = list(findings)
    for index, finding in enumerate(findings):
        root = _root(index, parents)
        if root != index:
            explained = _further(finding, roots[root]) + finding.downstream
            where = "in its weights" if _of_weights(finding) else "from there"
            note = f"{where} {finding.rule.name} ({finding.rule.code}): {finding.message}"
            cause = roots[root]
            roots[root] = replace(cause, notes=(*cause.notes, note), downstream=cause.downstream + explained)
    return [finding for index, finding in enumerate(roots) if parents[index] is None]


def _of_weights(finding: Finding) -> bool:
    return finding.rule.code.startswith("IP5")


def _further(finding: Finding, cause: Finding) -> int:
    """How many sites a finding adds to those of its cause; of weights, the layers themselves are no later ones."""
    if _of_weights(finding) or _of_weights(cause):
        return len(set(finding.sites) - set(cause.sites)) if cause.sites else len(finding.sites)
    return max(1, len(finding.sites))


def _leads_to(cause: Finding, finding: Finding, earlier: bool) -> bool:  # noqa: FBT001 - what the signal's way says
    if not (_of_weights(cause) or _of_weights(finding)):
        return earlier
    return not cause.sites or not finding.sites or not set(cause.sites).isdisjoint(finding.sites)


def _moment(finding: Finding, order: Mapping[str, int]) -> int:
    """When the signal meets a finding's first site: inputs, then forward, then backward, then gradients of weights."""
    backward = finding.rule.code.startswith("IP2")
    if not finding.sites:
        return 2 * len(order) + 1 if backward else -1
    position = order[finding.sites[0]]
    return 2 * len(order) - position if backward else position


def _root(index: int, parents: Sequence[int | None]) -> int:
    parent = parents[index]
    return index if parent is None else _root(parent, parents)
