"""IP504: a normalization that does not start as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.values import is_constant, typical
from initprobe.records import Weight

DEVIATION = Threshold(
    "norm_not_identity.deviation",
    0.25,
    "fraction",
    "DCGAN draws scales from N(1, 0.02²) on purpose (Radford et al. 2016, arXiv:1511.06434) and a norm's output is "
    "anyway uncertain by as much at width 32; BERT's bug, N(0, 0.02²), lies off by 1",
    "the RMS of a drawn scale's distance from 1, or of a drawn shift, is above this: warning",
)

ONES = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: repeat, times: 3, name: block, layers: [{type: linear, out: 32}, layer_norm, relu]}
    init: {default: kaiming_normal}
    """
)
ONE_PLUS = Example(
    """
    import torch
    from torch import nn

    class GemmaNorm(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(width))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)

    def build():
        return nn.Sequential(nn.Linear(32, 32), GemmaNorm(32), nn.ReLU(), nn.Linear(32, 4)), torch.randn(64, 32)
    """,
    language="python",
)
BERT_BUG = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 4))
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.02)
        return model, torch.randn(64, 64)
    """,
    language="python",
)


@rule(
    "IP504",
    "norm-not-identity",
    "parameters",
    "warning",
    "high",
    good=(ONES, ONE_PLUS),
    bad=(BERT_BUG,),
    thresholds=(DEVIATION,),
)
def norm_not_identity(case: Case) -> Iterator[Finding]:
    """A normalization's scale was drawn at random where it should be 1, or its shift where it should be 0.

    What it does:
        Fires where the scale of a normalization is not one number, lies off 1 by more than the limit (RMS over its
        elements), and the RMS of the normalization's output is what that scale makes of a normalized signal; or where
        a random shift is that large. A norm that multiplies by 1 + weight, as Gemma's does, puts out 1 with weights
        near 0, and is left alone. All scales are one finding.

    Why is this bad:
        A helper that walks over all parameters (`for p in model.parameters(): nn.init.normal_(p, std=0.02)`) overwrites
        the norms too: their output is then 50 times smaller than what the next layer was made for.

    Not a problem when:
        The scale is a constant on purpose: zero at the end of a residual branch, or a small one that depends on depth.

    Options:
        thresholds.norm_not_identity.deviation (0.25): RMS distance from the identity.

    References:
        huggingface/transformers issue 143 (BERT's LayerNorm drawn from N(0, 0.02²)); Goyal et al. 2017,
        arXiv:1706.02677, section 5.1, for zero at the end of a branch.
    """
    weights = {weight.name: weight for weight in case.facts.anatomy.weights}
    found = {name: text for name, weight in weights.items() if (text := _fault(case, weight, weights))}
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in found:
        alike[weights[name].role].append(name)
    limit = case.facts.thresholds[DEVIATION.key]
    for names in (apart for role in alike.values() for apart in case.apart(role)):
        more = f" (and {len(names) - 1} more like it)" if len(names) > 1 else ""
        yield case.finding_about(
            f"{names[0]}{more} {found[names[0]]}",
            about=names,
            label=wording.listing(names),
            location=weights[names[0]].location,
            measured=f"{wording.count(case.seeds, 'seed')}; warning where the RMS distance is above {limit:g}",
            parameters=names,
        )


def _fault(case: Case, weight: Weight, weights: dict[str, Weight]) -> str:
    """What is wrong with a scale or a shift, empty where nothing is."""
    limit = case.facts.thresholds[DEVIATION.key]
    mean, std, rms = (case.facts.signals.value(weight.name, name) for name in ("mean", "std", "rms"))
    if len(weight.shape) != 1 or not len(rms) or not (np.isfinite(rms) & (rms > 0)).all() or is_constant(case, weight):
        return ""
    if weight.role == "norm":
        distance = np.sqrt((mean - 1.0) ** 2 + std**2)
        output = _output(case, weight.module)
        expected = typical(rms)
        if not (distance > limit).all() or output is None or expected is None:
            return ""
        # Whatever multiplies by something else than the weight puts out something else.
        if abs(np.log(output / expected)) > abs(np.log(output)):
            return ""
        return f"scales by {_drawn(mean, std)} where 1 is the identity: RMS {wording.size(output)} behind it"
    beside = any(one.role == "norm" and one.module == weight.module for one in weights.values())
    if weight.role == "bias" and beside and (rms > limit).all():
        return f"shifts by {_drawn(mean, std)} where 0 is the identity"
    return ""


def _output(case: Case, module: str) -> float | None:
    """RMS of what the normalization puts out, over the seeds."""
    keys = [site.key for site in case.sites() if site.path == module]
    return typical(case.facts.signals.rms(keys[-1:], "forward")[:, 0]) if keys else None


def _drawn(mean: np.ndarray, std: np.ndarray) -> str:
    return f"{float(mean.mean()):.2g} ± {float(std.mean()):.2g}"
