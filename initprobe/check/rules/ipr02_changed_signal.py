"""IPR02: a signal or a gradient of another size than before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initprobe.check.rules.base import Case, Example, Finding, changes, rule, wording
from initprobe.records import Quantity, Shift

NET = """
    version: 1
    model:
      input: {shape: [32]}
      layers: [{type: linear, out: 32, name: stem}, relu, {type: linear, out: 8, name: head}]
    init: {default: kaiming_normal}
"""
REDRAWN = Example(NET, options=(("seeds", (10, 11, 12)),), earlier=NET)
ABSOLUTE = Example(NET.replace("relu", "tanh"), earlier=NET)


@rule(
    "IPR02",
    "changed-signal",
    "regression",
    "error",
    "high",
    good=(REDRAWN,),
    bad=(ABSOLUTE,),
    follows=("changed-init", "changed-structure"),
)
def changed_signal(case: Case) -> Iterator[Finding]:
    """The signal or the gradient has another size than in the result that this is held against.

    What it does:
        Compares the RMS of the signal at every call site, and that of its gradient, with those of an earlier result, as
        changed-init does with weights. Where weights or the structure changed, it is a note on that finding.

    Why is this bad:
        The weights are drawn as before, and the code around them does something else with them: an input that is no
        longer scaled, another activation, a skip path that is gone.

    Not a problem when:
        The change is meant. Save a new result and keep that.

    Options:
        check.layer_ignores; ``--severity regression=warning`` tells changes without failing.

    References:
        docs/regression.md; Student 1908, "The probable error of a mean", Biometrika 6.
    """
    found = case.facts.difference
    if found is None:
        return
    shifts = [shift for scale in _SCALES for shift in found.shifts if shift.quantity == scale]
    names = tuple(dict.fromkeys(name for shift in shifts for name in shift.names))
    for members, _ in changes.apart(case, names):
        told = [_told(shifts, quantity, frozenset(members)) for quantity in _SCALES]
        yield case.finding(
            ", ".join(text for text in told if text),
            sites=members,
            label=changes.label(members, "call site"),
            measured=changes.evidence(found),
            notes=found.notes,
        )


_SCALES: tuple[Quantity, ...] = ("forward RMS", "gradient RMS")


def _told(shifts: Sequence[Shift], quantity: Quantity, members: frozenset[str]) -> str:
    """How it changed at those of the call sites at which it did; empty where it did at none."""
    concerned = [shift for shift in shifts if shift.quantity == quantity and not members.isdisjoint(shift.names)]
    names = [name for shift in concerned for name in shift.names if name in members]
    if not names:
        return ""
    step = changes.factors(concerned)
    changed = f"{step} what it was" if step else "another one"
    where = wording.count(len(names), "call site")
    return f"{quantity} is {changed} at {where} ({names[0] or 'the model'}: {changes.ends(concerned[0])})"
