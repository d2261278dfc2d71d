"""IP513: layers that nobody initialized but torch."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.fans import stored_fans
from initprobe.check.plain import plain_runs
from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import std_of, typical, variance_error
from initprobe.records import Weight

UNIFORM = 0.15
"""How far the kurtosis may lie off a uniform distribution's 9/5; a normal one has 3."""

STACK = """
    import torch
    from torch import nn

    def build():
        layers = []
        for _ in range({depth}):
            layers += [nn.Linear(64, 64), nn.ReLU()]
        return nn.Sequential(*layers), torch.randn(64, 64)
    """
SHALLOW = Example(STACK.replace("{depth}", "3"), language="python")
NORMALIZED = Example(
    STACK.replace("{depth}", "12").replace("nn.Linear(64, 64),", "nn.Linear(64, 64), nn.BatchNorm1d(64),"),
    language="python",
)
DRAWN = Example(STACK.replace("{depth}", "20"), language="python", scheme="kaiming_uniform")
DEEP = Example(STACK.replace("{depth}", "20"), language="python")


@rule(
    "IP513",
    "default-init",
    "parameters",
    "info",
    "high",
    good=(SHALLOW, NORMALIZED, DRAWN),
    bad=(DEEP,),
    follows=("vanishing-forward", "exploding-forward", "vanishing-backward", "exploding-backward"),
    needs=("kurtosis",),
)
def default_init(case: Case) -> Iterator[Finding]:
    """Layers still have torch's default initialization, in a stack that is too deep for it.

    What it does:
        Looks at runs of layers without normalization whose signal or gradient drifts beyond its limit. It fires where
        more than half of the weights are uniform (by their kurtosis) with the standard deviation 1 / sqrt(3 fan_in)
        that `nn.Linear` and `nn.Conv2d` draw: `kaiming_uniform_(a=sqrt(5))`, limits of 1 / sqrt(fan_in).

    Why is this bad:
        The second moment falls to a third with each linear layer and to a sixth behind a relu. Biases of the same size
        keep the forward signal up, but it is theirs and no longer the input's; the gradient is lost.

    Not a problem when:
        The network is shallow or normalized; the default was made for those, and nothing is said.

    Options:
        check.layer_ignores.

    References:
        PyTorch issues 15314, 57109 and 129302; LeCun et al. 1998, "Efficient BackProp", section 4.6, where it is from.
    """
    for run in plain_runs(case):
        left = [(site, weight) for site, weight in run.layers if _is_default(case, weight)] if run.troubled else []
        if 2 * len(left) <= len(run.layers):
            continue
        yield case.finding(
            f"{wording.count(len(left), 'layer')} {'is' if len(left) == 1 else 'are'} left at torch's default, "
            "U(±1/√fan_in): variance times fan_in is 1/3",
            sites=[site.key for site, _ in left],
            measured=f"standard deviation and kurtosis of {len(left)} of {wording.count(len(run.layers), 'weight')}, "
            f"{wording.count(case.seeds, 'seed')}",
        )


def _is_default(case: Case, weight: Weight) -> bool:
    std, kurtosis = std_of(case, weight), typical(case.facts.signals.value(weight.name, "kurtosis"))
    if std is None or kurtosis is None or len(weight.shape) < 2:
        return False
    fan, _ = stored_fans(weight)
    return abs(3.0 * fan * std**2 - 1.0) <= variance_error(case, weight) and abs(kurtosis - 1.8) <= UNIFORM
