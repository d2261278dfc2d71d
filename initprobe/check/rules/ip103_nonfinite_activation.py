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
MASKED_OUT = Example(
    """
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.projection, self.softmax, self.out = nn.Linear(8, 8), nn.Softmax(-1), nn.Linear(8, 8)

        def forward(self, x):
            hidden = torch.ones(4, 4, dtype=torch.bool).triu()  # the first token has nothing to look at
            scores = self.projection(x) @ x.transpose(1, 2)
            weights = self.softmax(scores.masked_fill(hidden, -torch.inf))
            return self.out(weights.masked_fill(hidden, 0.0) @ x)

    def build():
        return Attention(), torch.randn(16, 4, 8)
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
    good=(FINITE, MASKED_OUT),
    bad=(LOGARITHM,),
    follows=("non-finite-input", "uninitialized-parameter", "exploding-forward", "dtype-overflow"),
)
def nonfinite_activation(case: Case) -> Iterator[Finding]:
    """A layer's output holds NaN or infinite values.

    What it does:
        Names the first call site whose value is not finite everywhere, in execution order; the later ones follow from
        it. After a non-finite input, or where an exploding signal overflows, it is told on that finding. What
        reaches no layer with weights, no residual join and no output of the model, neither as a value nor as a
        gradient, is a mask.

    Why is this bad:
        NaN spreads to everything behind it; the loss is NaN before the first update.

    Not a problem when:
        The model puts out a mask with -inf in it on purpose: ignore the rule for that layer.

    Options:
        check.layer_ignores.

    References:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740: half precision overflows at 65504.
    """
    yield from lost_values(case, "forward")
