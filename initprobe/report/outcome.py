"""What an initialization could not do and what its paper asks for besides, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from initprobe.records import Entry, Outcome, Role
from initprobe.report.layers import fold
from initprobe.report.visible import visible

EXPECTED: frozenset[Role] = frozenset(["norm", "gate", "bias", "other"])
"""Roles that schemes leave alone as a rule: nobody has to be told."""

_SHOWN = 3
_LONG = 1000


def outcome_lines(entry: Entry) -> list[str]:
    """One line for every reason why a weight was left alone, for every note, and for every learning rate.

    Matrices that were to be drawn and were not are told; norms and gates that stay as they are, and what lies outside
    of the parameters that were asked for, are not.
    """
    outcome = entry.outcome
    if outcome is None:
        return []
    lines = [visible(note, _LONG) for note in outcome.notes]
    lines += _grouped((one.weight, visible(one.note, _LONG)) for one in outcome.drawn if one.note is not None)
    lines += _grouped((name, f"kept: {visible(reason, _LONG)}") for name, reason in _left(entry, outcome))
    rates = [(one.weight, one.learning_rate) for one in outcome.drawn if one.learning_rate != 1.0]
    lines += _grouped((name, f"learning rate ×{rate:.3g}") for name, rate in rates)
    return lines


def _left(entry: Entry, outcome: Outcome) -> Iterable[tuple[str, str]]:
    roles = {summary.weight.name: summary.weight.role for summary in entry.weights}
    outside = bool(entry.request.init.only) or entry.request.init.default is None
    for one in outcome.skipped:
        if not outside and roles.get(one.weight, "other") not in EXPECTED:
            yield one.weight, one.reason


def _grouped(told: Iterable[tuple[str, str]]) -> list[str]:
    """Names under what is said of them, in the order of the first."""
    groups: dict[str, list[str]] = {}
    for name, what in told:
        groups.setdefault(what, []).append(name)
    return [f"{_folded(names)}: {what}" for what, names in groups.items()]


def _folded(names: Sequence[str]) -> str:
    folds = fold(names, [None] * len(names))
    more = len(folds) - _SHOWN
    return ", ".join(one.label for one in folds[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
