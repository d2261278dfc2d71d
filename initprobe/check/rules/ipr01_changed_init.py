"""IPR01: weights that are drawn otherwise than before."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, changes, rule, wording

NET = """
    version: 1
    model:
      input: {shape: [32]}
      layers: [{type: linear, out: 32, name: stem}, relu, {type: linear, out: 8, name: head}]
"""
HE = NET + "    init: {default: kaiming_normal}\n"
REDRAWN = Example(HE, options=(("seeds", (10, 11, 12)),), earlier=HE)
LECUN = Example(NET + "    init: {default: lecun_normal}\n", earlier=HE)


@rule("IPR01", "changed-init", "regression", "error", "high", good=(REDRAWN,), bad=(LECUN,))
def changed_init(case: Case) -> Iterator[Finding]:
    """Weights are drawn otherwise than in the result that this is held against.

    What it does:
        Compares the standard deviation and the mean of every parameter with those of an earlier result
        (``--against FILE``, ``initprobe diff``), over seeds: Student's t test that a number moved by more than 2 %, at
        a level that leaves all numbers of a network together one wrong answer in twenty. Repeats of a layer that moved
        alike are one finding.

    Why is this bad:
        A refactor that no longer calls an ``init_weights``, or loses a factor 1/sqrt(2L), raises no error: training is
        a little worse, and nobody knows since when.

    Not a problem when:
        The change is meant. Save a new result and keep that: an ignore or a baseline would hide the next change of the
        same layers as well.

    Options:
        check.layer_ignores, which changed-signal needs as well where the signal changed with it; ``--severity
        regression=warning`` tells changes without failing.

    References:
        docs/regression.md; Student 1908, "The probable error of a mean", Biometrika 6.
    """
    found = case.facts.difference
    for shift in found.shifts if found is not None else ():
        if found is None or shift.quantity not in ("std", "mean"):
            continue
        for names, place in changes.apart(case, shift.names):
            who = "" if len(names) == 1 else f" of {wording.count(len(names), 'parameter')}"
            first = "" if shift.names == names[:1] else f"{shift.names[0]}: "
            step = changes.factors([shift])
            yield case.finding_about(
                f"the {shift.quantity}{who} is {f'{step} what it was' if step else 'another one'} "
                f"({first}{changes.ends(shift)})",
                about=names,
                label=changes.label(names, "parameter"),
                location=place,
                measured=changes.evidence(found),
                notes=found.notes,
                parameters=names,
            )
