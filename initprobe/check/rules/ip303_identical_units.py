"""IP303: units that all compute the same."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.chains import read_by
from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.records import Site

ROUNDING = 8.0
"""Machine epsilons: a matrix product sums its last columns in another order than the others."""

RANDOM = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: repeat, times: 4, name: block, layers: [{type: linear, out: 32}, tanh]}
    init: {default: xavier_normal}
    """
)
ZERO_HEAD = Example(
    """
    import torch
    from torch import nn

    def build():
        head = nn.Linear(16, 4)
        nn.init.zeros_(head.weight)
        nn.init.constant_(head.bias, -2.0)
        return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), head), torch.randn(32, 8)
    """,
    language="python",
)
CONSTANT = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(33, 10), nn.Tanh(), nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 2))
        for parameter in model.parameters():
            nn.init.constant_(parameter, 0.1)
        return model, torch.randn(32, 33)
    """,
    language="python",
)


@rule(
    "IP303",
    "identical-units",
    "units",
    "error",
    "certain",
    good=(RANDOM, ZERO_HEAD),
    bad=(CONSTANT,),
    follows=("constant-weight",),
)
def identical_units(case: Case) -> Iterator[Finding]:
    """All units of a layer compute the same value.

    What it does:
        Compares the units of every weighted layer on a few samples and fires when their largest difference is no more
        than rounding in every seed although the layer's values and its weight are not zero. Neighbouring layers are
        one finding.

    Why is this bad:
        Units with the same weights on both sides get the same gradient and stay the same for ever: however wide the
        layer, it learns as one unit. Breaking this symmetry is the reason why weights are drawn at random.

    Not a problem when:
        The weight is zero on purpose (a head, a gate, the end of a residual branch): its units part at the first
        update. A layer with a single unit has nothing to compare, and one whose input is zero puts out its biases:
        that is told of the layer that went silent.

    Options:
        check.layer_ignores.

    References:
        Goodfellow, Bengio & Courville 2016, "Deep Learning", section 8.4.
    """
    signals = case.facts.signals
    source = read_by(case.facts.anatomy)

    def hears_nothing(site: Site) -> bool:
        return bool((signals.at([source.get(site.key) or ""], "absmax") == 0).all())

    def identical(site: Site) -> bool:
        spread, peak = signals.at([site.key], "unit_spread"), signals.at([site.key], "absmax")
        same = spread <= ROUNDING * signals.epsilon([site.key])
        told = bool(same.all() and (peak > 0).all()) and not signals.is_zero(site.weight)
        return told and not hears_nothing(site)

    for run in case.runs(case.sites("weighted"), identical):
        where = run[0].key if len(run) == 1 else wording.count(len(run), "layer")
        yield case.finding(
            f"all units of {where} compute the same value",
            sites=[site.key for site in run],
            measured=f"no difference between units beyond rounding in {wording.count(case.seeds, 'seed')}",
        )
