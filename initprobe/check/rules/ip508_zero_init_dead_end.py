"""IP508: zeros in front of zeros: neither side ever gets a gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.records import WEIGHT_GRADIENTS, Weight

FAINT = 1e-30
"""Where another gradient is as small as this, one that is exactly zero may only have fallen below float32 (1.4e-45)."""

LORA = """
    import torch
    from torch import nn

    class Adapted(nn.Module):
        def __init__(self, width, rank):
            super().__init__()
            self.base = nn.Linear(width, width)
            self.down = nn.Parameter({down})
            self.up = nn.Parameter(torch.zeros(width, rank))

        def forward(self, x):
            return self.base(x) + x @ self.down.t() @ self.up.t()

    def build():
        return nn.Sequential(Adapted(16, 2), nn.ReLU(), nn.Linear(16, 4)), torch.randn(32, 16)
    """
ZERO_UP = Example(LORA.replace("{down}", "torch.randn(rank, width)"), language="python")
BOTH_ZERO = Example(LORA.replace("{down}", "torch.zeros(rank, width)"), language="python")
FIXUP = Example(
    """
    version: 1
    model:
      input: {shape: [16]}
      layers:
        - type: repeat
          times: 3
          name: block
          layers: [{type: residual, layers: [{type: linear, out: 16}, relu, {type: linear, out: 16, name: last}]}]
        - {type: linear, out: 4, name: head}
    init: {default: kaiming_normal, overrides: [{match: "*last", scheme: zeros}, {match: head, scheme: zeros}]}
    """
)
REZERO_ON_ZEROS = Example(
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.linear = nn.Linear(width, width)
            self.alpha = nn.Parameter(torch.zeros(1))
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

        def forward(self, x):
            return x + self.alpha * torch.tanh(self.linear(x))

    def build():
        return nn.Sequential(nn.Linear(8, 16), Block(16), Block(16), nn.Linear(16, 4)), torch.randn(32, 8)
    """,
    language="python",
)


@rule(
    "IP508",
    "zero-init-dead-end",
    "parameters",
    "error",
    "certain",
    good=(ZERO_UP, FIXUP),
    bad=(BOTH_ZERO, REZERO_ON_ZEROS),
    needs=(WEIGHT_GRADIENTS,),
)
def zero_init_dead_end(case: Case) -> Iterator[Finding]:
    """A parameter is zero, gets no gradient because another one is zero too, and so neither will ever change.

    What it does:
        Looks for trainable weights, gates and scales that are exactly zero and whose gradient is exactly zero in every
        seed although the loss depends on them and reaches other parameters. It fires unless something zero behind
        them does get a gradient: that one is open after the first update, and lets the gradient through at the second.
        All of them are one finding, for they hold one another. Where other gradients are about to underflow, a zero
        proves nothing.

    Why is this bad:
        The gradient of a factor is the other factor: with both at zero, both stay there, and what is between them
        never learns. A gate at zero is a good init, and so is a branch that ends in zeros; the two together are dead.
        So is a layer of zeros in front of a ReLU, whose derivative at 0 is 0.

    Not a problem when:
        One of the two is random: ReZero's gate, a zeroed end of a branch or head, LoRA with one of its factors drawn.

    Options:
        check.layer_ignores. Needs the gradients of weights, which `initprobe check` measures and `run` does with
        --statistics weight_gradients.

    References:
        Bachlechner et al. 2021 (ReZero), arXiv:2003.04887; Hu et al. 2022 (LoRA), arXiv:2106.09685, section 4.1: one
        factor Gaussian, the other zero; Zhang et al. 2019 (Fixup), arXiv:1901.09321.
    """
    zeros = [weight for weight in case.facts.anatomy.weights if _stays_zero_alone(case, weight)]
    stuck = [weight for weight in zeros if _gradient_is(case, weight, zero=True)]
    opening = [weight for weight in zeros if _gradient_is(case, weight, zero=False)]
    moves = min((_least(case, weight) for weight in case.facts.anatomy.weights), default=math.inf)
    dead = {weight.name: weight for weight in stuck if FAINT < moves < math.inf and not _opens_behind(weight, opening)}
    for names in case.apart(dead):
        yield case.finding_about(
            f"{wording.listing(names)} {'is' if len(names) == 1 else 'are'} zero and will stay so: the gradient is "
            "exactly zero too, and nothing behind will change that",
            about=names,
            label=wording.listing(names),
            location=dead[names[0]].location,
            measured=f"values and gradient 0 in {wording.count(case.seeds, 'seed')}",
            parameters=names,
        )


def _stays_zero_alone(case: Case, weight: Weight) -> bool:
    """Whether it is a factor that is zero; a shift at zero is what every layer starts with."""
    return weight.role != "bias" and weight.trainable and weight.traced and case.facts.signals.is_zero(weight.name)


def _gradient_is(case: Case, weight: Weight, *, zero: bool) -> bool:
    sizes = case.facts.signals.gradient(weight.name, "rms")
    return bool(len(sizes)) and bool((sizes == 0).all() if zero else (sizes > 0).any())


def _least(case: Case, weight: Weight) -> float:
    """The smallest RMS of a weight's gradient over seeds that is not zero."""
    sizes = case.facts.signals.gradient(weight.name, "rms")
    return float(min(sizes[sizes > 0], default=math.inf))


def _opens_behind(weight: Weight, opening: Sequence[Weight]) -> bool:
    """Whether a zero that gets a gradient may lie between this one and the loss."""
    return any(
        weight.depth is None or other.depth is None or other.head or other.depth >= weight.depth for other in opening
    )
