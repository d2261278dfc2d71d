"""IP001: the batch itself holds NaN or infinity."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, rule, wording

CLEAN = Example(
    """
    import torch
    from torch import nn

    def build():
        return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(16, 8)
    """,
    language="python",
)
WITH_NAN = Example(
    """
    import torch
    from torch import nn

    def build():
        inputs = torch.randn(16, 8)
        inputs[3, 5] = float("nan")
        return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), inputs
    """,
    language="python",
)


@rule("IP001", "non-finite-input", "coverage", "error", "certain", good=(CLEAN,), bad=(WITH_NAN,))
def nonfinite_input(case: Case) -> Iterator[Finding]:
    """The input batch holds NaN or infinite values.

    What it does:
        Counts values that are not finite in every floating-point input. What they do to later layers is told on this
        finding.

    Why is this bad:
        Every number behind them is NaN as well, whatever the init; nothing can be said about it.

    Not a problem when:
        Never: mask such values, or probe with another batch.

    Options:
        None.

    References:
        IEEE 754-2019, section 6.2: an operation on a NaN delivers a NaN.
    """
    traces = [evidence.trace for evidence in case.facts.evidences]
    for name in dict.fromkeys(name for trace in traces for name in trace.inputs):
        counts = [trace.inputs.get(name, {}).get("nonfinite", 0) for trace in traces]
        bad = [count for count in counts if isinstance(count, (int, float)) and count > 0]
        if bad:
            yield case.finding(
                f"input {name!r} holds {wording.count(int(max(bad)), 'NaN or infinite value')}",
                measured=f"in {len(bad)} of {wording.count(case.seeds, 'seed')}",
            )
