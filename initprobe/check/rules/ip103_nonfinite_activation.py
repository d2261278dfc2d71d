"""IP103: a layer puts out NaN or infinity."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, lost_values, rule

FINITE = Example(
    """
    import torch
    from torch import nn

    def build():
        return nn.Sequential(nn.Linear(8, 8), nn.Softplus(), nn.Linear(8, 2)), torch.randn(16, 8)
    """,
    language="python",
)
LOGARITHM = Example(
    """
    import torch
    from torch import nn

    class Log(nn.Module):
        def forward(self, x):
            return x.log()

    def build():
        return nn.Sequential(nn.Linear(8, 8), Log(), nn.Linear(8, 2)), torch.randn(16, 8)
    """,
    language="python",
)


@rule(
    "IP103",
    "non-finite-activation",
    "forward",
    "error",
    "certain",
    good=(FINITE,),
    bad=(LOGARITHM,),
    follows=("non-finite-input", "uninitialized-parameter", "exploding-forward", "dtype-overflow"),
)
def nonfinite_activation(case: Case) -> Iterator[Finding]:
    """A layer's output holds NaN or infinite values.

    What it does:
        Names the first call site whose value is not finite everywhere, in execution order; the later ones follow from
        it. After a non-finite input, or where an exploding signal overflows, it is told on that finding. What stays
        between two operations inside of a module, and costs no gradient, is a mask.

    Why is this bad:
        NaN spreads to everything behind it; the loss is NaN before the first update.

    Not a problem when:
        A module's output is a mask with -inf in it on purpose: ignore the rule for that layer.

    Options:
        check.layer_ignores.

    References:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740: half precision overflows at 65504.
    """
    yield from lost_values(case, "forward")
