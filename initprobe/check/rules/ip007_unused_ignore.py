"""IP007: a rule is ignored where it finds nothing."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, Ignore, rule

USED = Example(
    """
    import torch
    from torch import nn

    def build():
        first = nn.Linear(32, 32)
        nn.init.constant_(first.bias, -10.0)
        relu = nn.ReLU()  # initprobe: ignore[dead-units] asleep until the gate opens
        return nn.Sequential(first, relu, nn.Linear(32, 2)), torch.randn(64, 32)
    """,
    language="python",
)
UNUSED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: linear, out: 64}
        - {type: relu, ignore: [{rule: dead-units, reason: "asleep until the gate opens"}]}
        - {type: linear, out: 8}
    init: {default: kaiming_normal}
    """
)
MISSPELT = Example(
    """
    import torch
    from torch import nn

    def build():
        # initprobe: ignore[dead-unit] asleep until the gate opens
        relu = nn.ReLU()
        return nn.Sequential(nn.Linear(32, 32), relu, nn.Linear(32, 2)), torch.randn(64, 32)
    """,
    language="python",
)


@rule("IP007", "unused-ignore", "coverage", "warning", "certain", good=(USED,), bad=(UNUSED, MISSPELT), last=True)
def unused_ignore(case: Case) -> Iterator[Finding]:
    """A layer ignores a rule that finds nothing there, or that does not exist.

    What it does:
        Looks at every ``ignore:`` of a spec's layers, and at every comment ``# initprobe: ignore[RULE] reason`` on a
        line that built a layer, and tells those that kept no finding from counting. Rules that were not selected, and
        rules that only ``check`` measures enough for, are left out; so are ``layer_ignores``, which may be meant for
        another network of the same project.

    Why is this bad:
        An ignore that is no longer needed hides the next finding of its kind. One with a misspelt name never did what
        it says.

    Not a problem when:
        What it ignores comes and goes with the seeds: leave it, and ignore this rule in its place.

    Options:
        --ignore unused-ignore; --strict makes it an error.

    References:
        ruff's RUF100 (unused-noqa), which does this for Python.
    """
    for one in case.facts.policy.ignores:
        message = _wrong(case, one)
        if message is not None:
            places = sorted(place for place in case.places() if one.covers(place))
            yield case.finding_about(message, paths=places, label=places[0] or "the model", location=one.location)


def _wrong(case: Case, one: Ignore) -> str | None:
    """What is wrong with an ignore, None where nothing is or it could not show."""
    if not any(one.covers(place) for place in case.places()):
        return None
    if not one.codes:
        readable = "ignore[" not in one.rule and " " not in one.rule
        return (
            f"ignores {one.rule!r}, which is no rule" if readable else f"a comment that ignores nothing: {one.rule!r}"
        )
    if not one.codes & case.facts.ran or case.card.code in one.codes:
        return None
    found = (finding for finding in case.facts.findings if finding.rule.code in one.codes)
    used = any(one.told in (finding.suppressed or "") for finding in found)
    return None if used else f"ignores {one.rule}, which finds nothing here"
