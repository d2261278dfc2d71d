"""What an initialization could not do and what its paper asks for besides, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from initprobe.records import Entry, Outcome, Role
from initprobe.report.layers import fold
from initprobe.report.numbers import number
from initprobe.report.visible import visible

EXPECTED: frozenset[Role] = frozenset(["norm", "gate", "bias", "other"])
"""Roles that schemes leave alone as a rule: nobody has to be told."""

_SHOWN = 3
_LONG = 1000
_NUMBER = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?(?![\w])")
"""A number that stands for itself, and is no part of a name (``conv2``, ``blocks.0``)."""


def outcome_lines(entry: Entry) -> list[str]:
    """One line for every reason why a weight was left alone, for every note, and for every learning rate.

    What differs in its numbers alone is one line, too, where there is more than a few of it.

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
    lines += _grouped((name, f"learning rate ×{_rate(rate)}") for name, rate in rates)
    return lines


def _left(entry: Entry, outcome: Outcome) -> Iterable[tuple[str, str]]:
    roles = {summary.weight.name: summary.weight.role for summary in entry.weights}
    outside = bool(entry.request.init.only) or entry.request.init.default is None
    for one in outcome.skipped:
        if not outside and roles.get(one.weight, "other") not in EXPECTED:
            yield one.weight, one.reason


def _grouped(told: Iterable[tuple[str, str]]) -> list[str]:
    """Names under what is said of them, in the order of the first."""
    groups: dict[str, dict[str, list[str]]] = {}
    order: dict[str, int] = {}
    for name, what in told:
        groups.setdefault(_NUMBER.sub("#", what), {}).setdefault(what, []).append(name)
        order.setdefault(name, len(order))
    lines = []
    for alike in groups.values():
        if len(alike) > _SHOWN:
            names = sorted({name for named in alike.values() for name in named}, key=order.__getitem__)
            lines.append(f"{_folded(names)}: {_spanned([*alike])}")
        else:
            lines += [f"{_folded(names)}: {what}" for what, names in alike.items()]
    return lines


def _spanned(texts: Sequence[str]) -> str:
    """Texts that differ in their numbers alone as one, in which each of these reads from the least to the greatest."""
    columns = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = iter([(min(column, key=float), max(column, key=float)) for column in columns])

    def span(_found: re.Match[str]) -> str:
        least, most = next(spans)
        return least if float(least) == float(most) else f"{least} … {most}"

    return _NUMBER.sub(span, texts[0])


def _rate(rate: float) -> str:
    """``0.1``, ``256``: short where it is short, three digits where it is not."""
    return f"{rate:g}" if float(f"{rate:.4g}") == rate else number(rate)


def _folded(names: Sequence[str]) -> str:
    folds = fold(names, [None] * len(names))
    more = len(folds) - _SHOWN
    return ", ".join(one.label for one in folds[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
