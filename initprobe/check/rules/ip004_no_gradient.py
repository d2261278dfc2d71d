"""IP004: a trainable parameter that the loss does not depend on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.records import Weight

FROZEN = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        model[0].requires_grad_(False)
        return model, torch.randn(16, 8)
    """,
    language="python",
)
DETACHED = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.second = nn.Linear(8, 2)

        def forward(self, x):
            return self.second(self.first(x).detach().relu())

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)


@rule("IP004", "no-gradient", "coverage", "error", "certain", good=(FROZEN,), bad=(DETACHED,))
def no_gradient(case: Case) -> Iterator[Finding]:
    """A trainable parameter gets no gradient: the loss does not depend on it.

    What it does:
        Reads off the autograd graph which parameters the loss reaches, and names the trainable ones that it does not.
        A gradient of zero is a gradient. A part of the network of which nothing is reached is one finding, and so are
        parameters of one name in many blocks. Where nothing was computed with a parameter in the first place it is a
        warning; modules that never ran belong to uncalled-module (IP002).

    Why is this bad:
        The parameter will never learn. The usual causes are a ``detach``, a ``no_grad`` region, a rounding or an
        argmax on the way, or an output that is thrown away.

    Not a problem when:
        The parameter is frozen (``requires_grad=False``), or a second loss reaches it, or another input uses it (the
        token that stands for masked patches).

    Options:
        check.layer_ignores; --no-backward leaves the rule without evidence.

    References:
        PyTorch, "Autograd mechanics".
    """
    uncalled = set(case.facts.anatomy.uncalled)
    weight_of = {
        weight.name: weight
        for weight in case.facts.anatomy.weights
        if weight.trainable and (weight.traced or weight.module not in uncalled)
    }
    lost = [name for name in weight_of if case.facts.signals.reached(name) is False]
    for used in (True, False):
        names = [name for name in lost if weight_of[name].traced is used]
        for parts in case.parts(names, [name for name in weight_of if name not in set(names)]):
            yield _finding(case, [weight_of[name] for members in parts.values() for name in members], list(parts))


def _finding(case: Case, lost: Sequence[Weight], parts: Sequence[str]) -> Finding:
    used = lost[0].traced
    count = wording.count(len(lost), "trainable parameter")
    return case.finding_about(
        f"the loss does not reach {count}" if used else f"nothing was seen to use {count}",
        severity=None if used else "warning",
        about=[weight.name for weight in lost],
        label=wording.listing(parts),
        location=lost[0].location,
        measured=f"no path in the autograd graph in any of {wording.count(case.seeds, 'seed')}",
    )
