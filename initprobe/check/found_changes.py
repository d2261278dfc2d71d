"""A difference becomes findings: what the rules about changes see in it."""

from __future__ import annotations

from initprobe.check.case import Case, Facts
from initprobe.check.causes import attribute
from initprobe.check.policy import Policy
from initprobe.check.rules.base import CHANGES, Finding
from initprobe.check.selection import select
from initprobe.check.signals import Signals
from initprobe.records import Anatomy, Entry


def find_changes(entry: Entry, policy: Policy) -> tuple[Finding, ...]:
    """What the selected rules about changes find in the entry's difference, root causes only; nothing without one.

    They read the difference and the structure alone: what was measured is summarized already.
    """
    if entry.difference is None:
        return ()
    anatomy = Anatomy(
        tuple(summary.weight for summary in entry.weights), tuple(summary.site for summary in entry.sites), ()
    )
    facts = Facts((), anatomy, Signals.of(()), policy=policy, difference=entry.difference)
    rules = [rule for rule in select(entry.request.check).rules if rule.compares]
    found = [finding for rule in rules for finding in rule.find(Case(facts, rule.card))]
    return tuple(attribute(found, {rule.card.name: rule.follows for rule in rules}, anatomy))


def is_change(finding: Finding) -> bool:
    """Whether a rule about changes found it."""
    return finding.rule.code.startswith(CHANGES)
