"""IP007: a rule is ignored where it finds nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
        line that built a layer, and tells those that had to do with no finding. One that holds for a single layer of a
        longer run took part, though the finding counts until all of them ignore it; so did one of a drift that is still
        open. Rules that were not selected, and rules that only ``check`` measures enough for, are left out; so are
        ``layer_ignores``, which may be meant for another network of the same project.

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
            names = sorted(_covered(case, one))
            yield case.finding_about(message, about=names, label=names[0] or "the model", location=one.location)


def _wrong(case: Case, one: Ignore) -> str | None:
    """What is wrong with an ignore, None where nothing is or it could not show."""
    if not _covered(case, one):
        return None
    if not one.codes:
        readable = "ignore[" not in one.rule and " " not in one.rule
        return (
            f"ignores {one.rule!r}, which is no rule" if readable else f"a comment that ignores nothing: {one.rule!r}"
        )
    if not one.codes & case.facts.ran or case.card.code in one.codes:
        return None
    return None if _took_part(case, one) else f"ignores {one.rule}, which finds nothing here"


def _covered(case: Case, one: Ignore) -> frozenset[str]:
    """The modules and operations that an ignore holds for."""
    owned = {weight.module for weight in case.facts.anatomy.weights}
    places = [*case.facts.places.values(), *map(case.place, owned)]
    return frozenset(place.written for place in places if one.covers(place))


def _took_part(case: Case, one: Ignore) -> bool:
    """Whether an ignore has to do with something that was found, or is still open.

    It may hold for a few layers of many, and then keeps nothing from counting by itself.
    """
    found = [finding for finding in case.facts.findings if finding.rule.code in one.codes]
    if any(one.told in (finding.suppressed or "") for finding in found):
        return True
    left_open = (drift.segment.sites for drift in case.facts.undecided if drift.card.code in one.codes)
    names = {name for finding in found for name in (*finding.sites, *finding.parameters, *_behind(case, finding))}
    return any(one.covers(case.place(name)) for name in names.union(*left_open))


def _behind(case: Case, finding: Finding) -> Sequence[str]:
    """The sites that a finding explains without naming them: those behind the one at which a value was lost."""
    if not finding.downstream or not finding.sites:
        return ()
    keys = [site.key for site in case.sites()]
    first = keys.index(finding.sites[0])
    return keys[:first] if finding.rule.code.startswith("IP2") else keys[first:]
