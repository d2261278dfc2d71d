"""IP006: the seeds are used up and a drift is still open."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, describe, rule, wording
from initprobe.check.undecided import open_ones
from initprobe.records import Gain

DECIDED = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 10, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: kaiming_normal}
    """
)
TWO_SEEDS = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: repeat, times: 40, name: block, layers: [{type: linear, out: 32}, relu]}
    init: {default: kaiming_normal}
    """,
    options=(("seeds", 2), ("max_seeds", 2)),
)


@rule("IP006", "inconclusive", "coverage", "info", "certain", good=(DECIDED,), bad=(TWO_SEEDS,))
def inconclusive(case: Case) -> Iterator[Finding]:
    """The seeds do not decide whether a drift is beyond its limit.

    What it does:
        Tells each selected drift rule (IP101, IP102, IP201, IP202) whose confidence interval still reaches across a
        limit when all seeds are used up, and how many seeds would settle it. Seeds are added by themselves up to
        ``--max-seeds``, and the interval is widened for every planned look at them.

    Why is this bad:
        A narrow or deep network differs from draw to draw; a verdict here would be a coin toss.

    Not a problem when:
        The open question is only whether there is a warning, and errors alone fail the check: the verdict is then
        ``pass``. Where it could be an error, the verdict is ``inconclusive``, and ``--strict`` makes either an error.

    Options:
        --seeds, --max-seeds, --strict.

    References:
        Hanin & Nica 2018, "Products of Many Large Random Matrices and Gradients in Deep Neural Networks",
        arXiv:1812.05994.
    """
    for drift in open_ones(case.facts.undecided):
        gain, keys = drift.gain, drift.segment.sites
        limits = [
            f"×{wording.limit(case.facts.thresholds[f'{drift.direction}_drift.{level}'])} ({level})"
            for level in drift.crossed
        ]
        yield case.finding(
            f"{drift.card.name} cannot be decided: the {drift.direction} drift reaches across {' and '.join(limits)}",
            sites=keys,
            measured=f"{describe(gain, case.seeds, drift.segment.kind)}; drift ×{wording.gain(gain.drift.mean)}, "
            f"{100 * gain.confidence:g} % interval [{wording.gain(gain.drift.low)}, {wording.gain(gain.drift.high)}]",
            notes=(_help(case, gain),),
        )


def _help(case: Case, gain: Gain) -> str:
    """What would settle it."""
    if case.facts.one_draw:
        return "one draw has no further seeds: probe a factory, or move the limit"
    if gain.basis == "layers":
        return "a single seed says little: --seeds 5"
    if gain.more is None:
        return "the drift lies on the limit: no number of seeds will settle it, move the limit"
    return f"about {gain.more} seeds would settle it: --max-seeds {gain.more}"
