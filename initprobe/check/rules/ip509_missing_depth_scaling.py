"""IP509: residual branches that are as large in a deep network as in a shallow one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from initprobe.check.residual import residual_streams
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.values import std_of
from initprobe.records import MATRIX_ROLES, Branch

Kind = Literal["attention", "feed-forward"]

FEWEST = 8
"""Branches; below that 1 / sqrt(N) is no more than other schemes do for other reasons."""

CLOSE = 0.1
"""How near a ratio of standard deviations has to be to 1 or to 1 / sqrt(N)."""

GROWTH = Threshold(
    "missing_depth_scaling.growth",
    10.0,
    "factor",
    "one decade of variance from the first join to the last: with GPT-2's 1 / sqrt(N) all branches together add no "
    "more than one does alone",
    "the variance of the residual stream grows by more than this, and no branch is scaled for depth: info",
)

NETWORK = """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            for name, parameter in self.named_parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.2)
            for weight in [{scaled}]:
                nn.init.normal_(weight, std=0.2 / 16**0.5)

        def forward(self, x):
            h = self.norm1(x)
            x = x + self.attention(h, h, h, need_weights=False)[0]
            return x + self.down(torch.nn.functional.gelu(self.up(self.norm2(x))))

    def build():
        return nn.Sequential(*[Block(32) for _ in range(8)], nn.LayerNorm(32)), torch.randn(16, 6, 32)
    """
BOTH = Example(NETWORK.replace("{scaled}", "self.attention.out_proj.weight, self.down.weight"), language="python")
HALF = Example(NETWORK.replace("{scaled}", "self.attention.out_proj.weight"), language="python")
NEITHER = Example(NETWORK.replace("{scaled}", ""), language="python")


@rule(
    "IP509",
    "missing-depth-scaling",
    "parameters",
    "info",
    "heuristic",
    good=(BOTH,),
    bad=(HALF, NEITHER),
    thresholds=(GROWTH,),
)
def missing_depth_scaling(case: Case) -> Iterator[Finding]:
    """The branches of a transformer end in weights that know nothing of the depth, all of them or only one kind.

    What it does:
        Compares the last weight of each residual branch with the others of that branch, in networks with attention and
        at least eight branches. It fires where one kind of branch is scaled by 1 / sqrt(N), N branches, and the other
        is not; where a weight that ends no branch is scaled as the one that does (the projection beside the gate of a
        SwiGLU); and where no branch is, and the variance of the stream grows linearly by more than the limit.

    Why is this bad:
        N branches of equal size make the variance of the stream N times that of one, and each later branch counts for
        less. GPT-2 divides what ends a branch by sqrt(N). Scaled for one kind and not for the other it was meant, and
        a name pattern missed the other one. Scaled twice along its way, a branch adds 1 / N, which nobody meant.

    Not a problem when:
        The network was tuned without it, as BERT and ViT were; a norm behind each join (post-norm) holds the stream.

    Options:
        thresholds.missing_depth_scaling.growth (10): of the stream's variance.

    References:
        Radford et al. 2019 (GPT-2), section 2.3; huggingface/transformers issue 47458 and pytorch/torchtitan issue
        3334, where it went missing.
    """
    branches = case.facts.anatomy.outer_branches
    if len(branches) < FEWEST:
        return
    target = 1.0 / math.sqrt(len(branches))
    law = f"1/√{len(branches)} = {target:.3g}"
    twice = _scaled_twice(case, branches, target)
    ratios = _ratios(case, branches, leave_out=frozenset(twice))
    if "attention" not in ratios:
        return
    if twice:
        those = f"{twice[0]} and {len(twice) - 1} like it" if len(twice) > 1 else twice[0]
        yield from _findings(
            case, f"scaled by {law} as the last weights of their branches, and no last ones: {those}", twice, ratios
        )
    scaled = [kind for kind, pair in ratios.items() if any(abs(one / target - 1.0) < CLOSE for one in pair)]
    plain = [kind for kind, pair in ratios.items() if any(abs(one - 1.0) < CLOSE for one in pair)]
    streams = residual_streams(case.facts.anatomy, case.facts.signals)
    growths = [one.growth.total for one in streams if one.growth is not None and one.growth.law == "linear"]
    growth = max(growths, default=1.0)
    if scaled and plain and set(scaled).isdisjoint(plain):
        text = f"the {scaled[0]} branches end in weights scaled by {law}, the {plain[0]} branches do not"
        told = plain
    elif len(plain) == len(ratios) and growth > case.facts.thresholds[GROWTH.key]:
        text = f"no branch is scaled by {law}, and the stream's variance grows ×{wording.gain(growth)}"
        told = list(ratios)
    else:
        return
    tails = [name for branch in branches if _kind(case, branch) in told for name in branch.tails]
    yield from _findings(case, text, tails, ratios)


def _findings(
    case: Case, text: str, weights: Sequence[str], ratios: Mapping[Kind, tuple[float, float]]
) -> Iterator[Finding]:
    """One finding, without what ignores it."""
    for names in case.apart(weights):
        yield _finding(case, text, names, ratios)


def _finding(case: Case, text: str, names: Sequence[str], ratios: Mapping[Kind, tuple[float, float]]) -> Finding:
    first = case.weight(names[0])
    return case.finding_about(
        text,
        about=names,
        label=wording.listing(names),
        location=None if first is None else first.location,
        measured="; ".join(f"{kind}: last weights ×{pair[0]:.3g} of the others" for kind, pair in ratios.items()),
        parameters=names,
    )


def _kind(case: Case, branch: Branch) -> Kind:
    weights = [case.weight(name) for name in branch.weights]
    return "attention" if any(weight is not None and weight.attention for weight in weights) else "feed-forward"


def _scaled_twice(case: Case, branches: Sequence[Branch], target: float) -> tuple[str, ...]:
    """Weights that are as small beside the largest of their branch as its last ones are, in every branch of a kind."""
    found: dict[Kind, list[tuple[str, ...]]] = {}
    for branch in branches:
        stds = _stds(case, branch)
        largest = max((std for name, (std, _) in stds.items() if name not in branch.tails), default=math.nan)
        scaled = [name for name, (std, _) in stds.items() if abs(std / largest / target - 1.0) < CLOSE]
        ends = bool(branch.tails) and set(branch.tails) <= set(scaled)
        inner = tuple(name for name in scaled if name not in branch.tails) if ends else ()
        found.setdefault(_kind(case, branch), []).append(inner)
    return tuple(name for kinds in found.values() if all(kinds) for names in kinds for name in names)


def _ratios(
    case: Case, branches: Sequence[Branch], *, leave_out: frozenset[str] = frozenset()
) -> Mapping[Kind, tuple[float, float]]:
    """Standard deviation of the last weights over that of the others, by kind of branch: as it is, and times √fan_in.

    Kinds in which a branch does not tell are left out, and so are the weights that are named.
    """
    found: dict[Kind, list[tuple[float, float] | None]] = {}
    for branch in branches:
        found.setdefault(_kind(case, branch), []).append(_ratio(case, branch, leave_out))
    ratios: dict[Kind, tuple[float, float]] = {}
    for kind, pairs in found.items():
        known = [pair for pair in pairs if pair is not None]
        if known and len(known) == len(pairs) and _agree([pair[0] for pair in known]):
            ratios[kind] = known[0]
    return ratios


def _agree(ratios: Sequence[float]) -> bool:
    """A law in the layer's number is another scheme."""
    return max(ratios) / min(ratios) < 1.0 + 2.0 * CLOSE


def _stds(case: Case, branch: Branch) -> Mapping[str, tuple[float, float]]:
    """Standard deviation of every weight of a branch, as it is and times √fan_in."""
    found: dict[str, tuple[float, float]] = {}
    for name in branch.weights:
        weight = case.weight(name)
        std = None if weight is None or weight.role not in MATRIX_ROLES else std_of(case, weight)
        if weight is not None and std is not None and weight.fan_in is not None:
            found[name] = (std, std * math.sqrt(weight.fan_in))
    return found


def _ratio(case: Case, branch: Branch, leave_out: frozenset[str]) -> tuple[float, float] | None:
    stds = _stds(case, branch)
    last = [pair for name, pair in stds.items() if name in branch.tails]
    others = [pair for name, pair in stds.items() if name not in branch.tails and name not in leave_out]
    if not last or not others:
        return None
    return _mean(last, 0) / _mean(others, 0), _mean(last, 1) / _mean(others, 1)


def _mean(pairs: Sequence[tuple[float, float]], place: int) -> float:
    """The geometric mean of one of the two numbers."""
    return math.exp(math.fsum(math.log(pair[place]) for pair in pairs) / len(pairs))
