"""IP507: one layer among equals that was drawn otherwise."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.check.naming import without_numbers
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.values import std_of, variance_error
from initprobe.records import MATRIX_ROLES, Weight

FEWEST = 5
"""Layers of a kind, or there is no telling which of them is the odd one."""

SHARE = 0.25
"""Of the layers that may be odd; more of them are a pattern."""

RATIO = Threshold(
    "mixed_schemes.ratio",
    1.3,
    "factor",
    "schemes in use differ by √2 and more (He/LeCun 1.41, He/torch's default 2.45); a matrix of 1000 numbers tells its "
    "standard deviation to 2 %",
    "a layer's standard deviation lies off the law that layers of its kind follow by more than this: info",
)

STACK = """
    import torch
    from torch import nn

    def build():
        layers = [nn.Linear(32, 32) for _ in range(8)]
        for index, layer in enumerate(layers):
            {draw}
        return nn.Sequential(*[part for layer in layers for part in (layer, nn.LayerNorm(32), nn.GELU())]), \\
            torch.randn(64, 32)
    """
ALIKE = Example(STACK.replace("{draw}", "nn.init.normal_(layer.weight, std=0.02)"), language="python")
BY_DEPTH = Example(
    STACK.replace("{draw}", "nn.init.normal_(layer.weight, std=0.2 / (2 * (index + 1)) ** 0.5)"), language="python"
)
ONE_FORGOTTEN = Example(
    STACK.replace("{draw}", "index == 4 or nn.init.normal_(layer.weight, std=0.02)"), language="python"
)


@rule(
    "IP507",
    "mixed-schemes",
    "parameters",
    "info",
    "heuristic",
    good=(ALIKE, BY_DEPTH),
    bad=(ONE_FORGOTTEN,),
    thresholds=(RATIO,),
)
def mixed_schemes(case: Case) -> Iterator[Finding]:
    """One or a few layers of a kind were drawn with another standard deviation than all the others.

    What it does:
        Groups matrices and kernels that have the same shape, role and name but for its numbers (`blocks.3.mlp.fc1`, or
        `fc3` where no list of blocks numbers it). Where a power of the layer's number describes all of them but a few
        to within sampling, it names those that lie off by more than the limit. The first layer and
        the head are left out: they have reasons of their own.

    Why is this bad:
        Somebody forgot a layer, or a name pattern does not match it: it has torch's default among layers with 0.02.

    Not a problem when:
        It is meant. A standard deviation that changes smoothly with depth, as in depth-scaled schemes, is not told.

    Options:
        thresholds.mixed_schemes.ratio (1.3): how far off, as a factor either way.

    References:
        huggingface/transformers issue 47458 (a depth-scaled init that no name matched).
    """
    limit = case.facts.thresholds[RATIO.key]
    for members in _kinds(case.facts.anatomy.weights):
        for weight, std, usual in _odd(case, members, limit):
            yield case.finding_about(
                f"{weight.name} has a standard deviation of {wording.size(std)}, ×{wording.gain(std / usual)} of what "
                f"the other {len(members) - 1} of its kind have there",
                about=[weight.name],
                label=weight.name,
                location=weight.location,
                measured=f"{wording.size(std)} against {wording.size(usual)}, {wording.count(case.seeds, 'seed')}; "
                f"told beyond ×{limit:g} either way",
                parameters=[weight.name],
            )


def _kinds(weights: Sequence[Weight]) -> Sequence[Sequence[Weight]]:
    """Weights of one kind, in registration order.

    ``fc1`` and ``fc2`` of a block are two kinds with many members each. Only what stands alone there is compared with
    what differs in the digits at the end of a name's part.
    """
    blocks: defaultdict[tuple[object, ...], list[Weight]] = defaultdict(list)
    for weight in weights:
        if weight.role in MATRIX_ROLES and not weight.head and weight.depth not in {0, 1}:
            blocks[without_numbers(weight.name), weight.shape, weight.role].append(weight)
    numbered: defaultdict[tuple[object, ...], list[Weight]] = defaultdict(list)
    for members in blocks.values():
        if len(members) == 1:
            parts = [re.sub(r"\d+$", "*", part) for part in members[0].name.split(".")]
            numbered[(*parts, members[0].shape, members[0].role)].append(members[0])
    return [members for members in (*blocks.values(), *numbered.values()) if len(members) > 1]


def _odd(case: Case, members: Sequence[Weight], limit: float) -> Sequence[tuple[Weight, float, float]]:
    """The layers that do not fit, with their standard deviation and the one that the others' law has there."""
    found = [std_of(case, weight) for weight in members]
    if len(members) < FEWEST or any(std is None for std in found):
        return []
    logs = np.log(np.array(found, dtype=np.float64))
    depth = np.log(np.arange(1, len(members) + 1))
    error = max(variance_error(case, weight) for weight in members) / 2.0
    away = np.abs(logs - np.median(logs))
    suspects = sorted(range(len(members)), key=lambda i: away[i])[-max(1, int(SHARE * len(members))) :]
    # The fewest that have to be left out for the rest to follow a law.
    for many in range(1, len(suspects) + 1):
        out = suspects[-many:]
        rest = [i for i in range(len(members)) if i not in out]
        slope, start = np.polyfit(depth[rest], logs[rest], 1)
        law = start + slope * depth
        if np.abs(logs - law)[rest].max() <= error:
            odd = [i for i in out if abs(logs[i] - law[i]) > math.log(limit) + error]
            return [(members[i], math.exp(logs[i]), math.exp(law[i])) for i in odd]
    return []
