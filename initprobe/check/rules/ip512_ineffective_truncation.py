"""IP512: a truncated normal distribution that is not truncated."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording

SIGMAS = Threshold(
    "ineffective_truncation.sigmas",
    4.0,
    "factor",
    "6e-5 of a normal distribution lies beyond four standard deviations: a truncation there changes the standard "
    "deviation by 0.05 %",
    "both ends of a truncated normal distribution lie further out than this: info",
)

NET = """
    version: 1
    model:
      input: {shape: [32]}
      layers: [{type: linear, out: 32}, gelu, {type: linear, out: 4}]
    """
CUT = Example(NET, scheme="truncated_normal(std=0.02)")
ABSOLUTE = Example(NET, scheme="truncated_normal(std=0.02, a=-25.0, b=25.0)")


@rule(
    "IP512",
    "ineffective-truncation",
    "parameters",
    "info",
    "certain",
    good=(CUT,),
    bad=(ABSOLUTE,),
    thresholds=(SIGMAS,),
)
def ineffective_truncation(case: Case) -> Iterator[Finding]:
    """A truncated normal distribution has its ends so far out that it is a plain one.

    What it does:
        Reads which scheme drew each weight, with its options, and fires where both ends of a truncated normal lie
        beyond the limit. It sees schemes that initprobe draws; what a model's own code passed to
        `torch.nn.init.trunc_normal_` cannot be read off the weights.

    Why is this bad:
        The ends of torch's function are absolute, those of jax's and of our scheme count standard deviations:
        `trunc_normal_(w, std=0.02, a=-2, b=2)` cuts at a hundred of them, nothing is cut, and whoever reads it thinks
        that large weights cannot be.

    Not a problem when:
        A plain normal distribution is what is wanted; then say so.

    Options:
        thresholds.ineffective_truncation.sigmas (4): standard deviations.

    References:
        pytorch/torchtitan issue 3334; `torch.nn.init.trunc_normal_`.
    """
    limit = case.facts.thresholds[SIGMAS.key]
    drawn: defaultdict[str, list[str]] = defaultdict(list)
    for one in case.facts.evidences[0].outcome.drawn if case.facts.evidences[0].outcome is not None else ():
        drawn[one.scheme].append(one.weight)
    for scheme, drawn_so in drawn.items():
        ends = _ends(scheme)
        if ends is None or min(-ends[0], ends[1]) <= limit:
            continue
        for names in case.apart(drawn_so):
            first = case.weight(names[0])
            yield case.finding_about(
                f"{scheme} cuts nothing off: its ends lie at {ends[0]:g} and {ends[1]:g} standard deviations",
                about=names,
                label=wording.listing(names),
                location=None if first is None else first.location,
                measured=f"{wording.count(len(names), 'parameter')}; told beyond ±{limit:g}",
                parameters=names,
            )


def _ends(scheme: str) -> tuple[float, float] | None:
    """Both ends in standard deviations, None of what is no truncated normal."""
    if not re.match(r"(truncated_normal|trunc_normal)\b", scheme):
        return None
    a, b = (re.search(rf"\b{name}=([-+.\de]+)", scheme) for name in ("a", "b"))
    return (float(a[1]) if a else -2.0, float(b[1]) if b else 2.0)
