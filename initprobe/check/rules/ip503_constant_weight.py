"""IP503: a weight matrix that is one number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import is_constant
from initprobe.records import Site, Weight

MIXING = frozenset(["linear", "conv", "transposed", "recurrent"])
"""Roles of weights whose units all see the same input; a depthwise kernel has a channel of its own."""

RANDOM = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers: [{type: linear, out: 32}, relu, {type: linear, out: 4, name: head}]
    init: {default: kaiming_normal, overrides: [{match: head, scheme: zeros}]}
    """
)
AVERAGING = Example(
    """
    import torch
    from torch import nn

    def build():
        blur = nn.Conv2d(8, 8, 3, groups=8, bias=False)
        nn.init.constant_(blur.weight, 1 / 9)
        last = nn.Linear(8 * 36, 1)
        nn.init.constant_(last.weight, 1 / 288)
        return nn.Sequential(nn.Conv2d(3, 8, 1), blur, nn.Flatten(), last), torch.randn(4, 3, 8, 8)
    """,
    language="python",
)
TENTHS = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(33, 10), nn.Tanh(), nn.Linear(10, 2))
        nn.init.constant_(model[0].weight, 0.1)
        return model, torch.randn(32, 33)
    """,
    language="python",
)


@rule("IP503", "constant-weight", "parameters", "error", "certain", good=(RANDOM, AVERAGING), bad=(TENTHS,))
def constant_weight(case: Case) -> Iterator[Finding]:
    """All entries of a weight matrix are the same number, so that its units are copies of one another.

    What it does:
        Fires where a trainable matrix or kernel with more than one unit holds one number, not zero, in every seed.
        Neighbouring layers are one finding.

    Why is this bad:
        Every unit computes the same sum of its inputs: the layer hands on one number, whatever its width. Constants in
        two layers in a row get the same gradient for every unit and never part.

    Not a problem when:
        There is one unit (an average), a channel of its own for each unit (a blur, depthwise), or the weight is frozen.
        Zeros are another matter: they part at the first update where something else is random.

    Options:
        check.layer_ignores.

    References:
        Goodfellow, Bengio & Courville 2016, "Deep Learning", section 8.4; Glorot & Bengio 2010.
    """
    constant = {weight.name: weight for weight in case.facts.anatomy.weights if _is_one_number(case, weight)}

    def flagged(site: Site) -> bool:
        return site.weight in constant

    shown: set[str] = set()
    for run in case.runs(case.sites("weighted"), flagged):
        names = list(dict.fromkeys(site.weight for site in run if site.weight is not None))
        shown.update(names)
        value = float(np.nanmean(case.facts.signals.value(names[0], "mean")))
        yield case.finding(
            f"all entries of {wording.listing(names)} are {value:g}",
            sites=[site.key for site in run],
            measured=f"standard deviation 0 in {wording.count(case.seeds, 'seed')}",
        )
    for names_left in case.families([name for name in constant if name not in shown]):
        yield case.finding_about(
            f"all entries of {wording.listing(names_left)} are one number",
            about=names_left,
            label=wording.listing(names_left),
            location=constant[names_left[0]].location,
            measured=f"standard deviation 0 in {wording.count(case.seeds, 'seed')}",
            parameters=names_left,
        )


def _is_one_number(case: Case, weight: Weight) -> bool:
    """Whether it makes copies of one unit."""
    units = weight.shape[weight.unit_axis] if weight.unit_axis is not None and weight.shape else 1
    return weight.role in MIXING and weight.trainable and units > 1 and is_constant(case, weight)
