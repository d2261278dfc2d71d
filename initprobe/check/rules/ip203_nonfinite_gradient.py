"""IP203: a gradient is NaN or infinite."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, lost_values, rule

SMOOTH = Example(
    """
    import torch
    from torch import nn

    def build():
        return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(16, 8)
    """,
    language="python",
)
NORM_AT_ZERO = Example(
    """
    import torch
    from torch import nn

    class Norm(nn.Module):
        def forward(self, x):
            return x.square().sum(-1, keepdim=True).sqrt()

    def build():
        first = nn.Linear(8, 8)
        nn.init.zeros_(first.weight)
        nn.init.zeros_(first.bias)
        return nn.Sequential(first, Norm(), nn.Linear(1, 2)), torch.randn(16, 8)
    """,
    language="python",
)


@rule(
    "IP203",
    "non-finite-gradient",
    "backward",
    "error",
    "certain",
    good=(SMOOTH,),
    bad=(NORM_AT_ZERO,),
    follows=(
        "non-finite-input",
        "uninitialized-parameter",
        "non-finite-activation",
        "exploding-backward",
        "dtype-overflow",
    ),
)
def nonfinite_gradient(case: Case) -> Iterator[Finding]:
    """A gradient holds NaN or infinite values.

    What it does:
        Names the first call site, counted from the output, whose gradient is not finite everywhere; those nearer the
        input follow from it. Behind non-finite activations, or where an exploding gradient overflows, it is told on
        that finding.

    Why is this bad:
        One update with it makes the weights NaN.

    Not a problem when:
        Never. The usual cause is a derivative that is infinite at a point which the init hits: sqrt, log, a norm or a
        power at exactly zero.

    Options:
        check.layer_ignores.

    References:
        PyTorch, "Autograd mechanics", gradients for non-differentiable functions.
    """
    yield from lost_values(case, "backward")
