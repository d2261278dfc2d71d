"""IPR03: parameters and layers that came, went, or have another shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from initprobe.check.rules.base import Case, Example, Finding, changes, rule, wording
from initprobe.records import Difference

HEAD = """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: linear, out: 32, name: stem}
"""
TAIL = """
        - {type: linear, out: 8, name: head}
    init: {default: kaiming_normal}
"""
SHALLOW = HEAD.rstrip() + TAIL
DEEPER = HEAD.rstrip() + "\n        - {type: linear, out: 32, name: middle}" + TAIL
SAME = Example(SHALLOW, earlier=SHALLOW)
ONE_MORE = Example(DEEPER, earlier=SHALLOW)


@rule("IPR03", "changed-structure", "regression", "error", "certain", good=(SAME,), bad=(ONE_MORE,))
def changed_structure(case: Case) -> Iterator[Finding]:
    """Parameters or layers are not the ones of the result that this is held against.

    What it does:
        Names what only one of two results has, and what has another shape or dtype now. The same things in the same
        order under other names are *renamed*, and no change. A network that the earlier result does not have is told as
        well: there is nothing to hold it against.

    Why is this bad:
        What is not there on both sides is not compared, so that nobody knows whether its init is what it was.

    Not a problem when:
        The network was changed on purpose. Save a new result and keep that.

    Options:
        check.layer_ignores, which changed-signal needs as well where the signal changed with it; ``--severity
        regression=warning`` tells changes without failing.

    References:
        docs/regression.md.
    """
    found = case.facts.difference
    if found is None or found.verdict == "pass":
        return
    kinds, weights = _kinds(found), {weight.name for weight in case.facts.anatomy.weights}
    for what, every in kinds.items():
        for names, place in changes.apart(case, every):
            listed = wording.listing([name or "the model" for name in names])
            yield case.finding_about(
                f"{listed} {'is' if len(names) == 1 else 'are'} {what}",
                about=names,
                label=changes.label(names, "name"),
                location=place,
                measured=changes.evidence(found),
                notes=found.notes,
                parameters=[name for name in names if name in weights],
            )
    if not found.shifts and not any(kinds.values()):
        yield case.finding_about(" ".join(found.notes), about=(), label="", location=None)


def _kinds(found: Difference) -> Mapping[str, tuple[str, ...]]:
    return {
        "not there any more": found.missing,
        "new": found.added,
        "of another shape or dtype": found.reshaped,
    }
