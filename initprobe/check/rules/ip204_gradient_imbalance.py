"""IP204: layers of one kind that do not have the same part in what the network does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from initprobe.check.chains import weighted_chains
from initprobe.check.naming import without_numbers
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.records import MULTIPLYING_ROLES, WEIGHT_GRADIENTS, Weight

FEWEST = 3
"""Layers of one kind."""

SPREAD = Threshold(
    "gradient_imbalance.factor",
    10_000.0,
    "factor",
    "it is the same in all layers of a linear or ReLU chain (Tanaka et al. 2020, arXiv:2006.05467, theorem 1); among "
    "the repeated layers of published networks it differs by up to 600 (ConvNeXt), among the queries of 24 post-norm "
    "blocks by 300,000",
    "norm of the weight times norm of its gradient differs by more than this between two layers alike: warning",
)

CHECKED = (("statistics", (WEIGHT_GRADIENTS,)),)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 10, name: block, layers: [{type: linear, out: 64}, relu]}
        - {type: linear, out: 10, name: head}
    init: {default: kaiming_normal}
    """,
    options=CHECKED,
)
HALF_SCALED = Example(
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, scaled):
            super().__init__()
            self.norm, self.out = nn.LayerNorm(64), nn.Linear(64, 64)
            self.gamma = nn.Parameter(torch.full((64,), 1e-6)) if scaled else None

        def forward(self, x):
            branch = self.out(self.norm(x))
            return x + (branch if self.gamma is None else self.gamma * branch)

    def build():
        return nn.Sequential(*(Block(scaled=place < 4) for place in range(8))), torch.randn(64, 64)
    """,
    language="python",
    options=CHECKED,
)
QUIET = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - type: repeat
          times: 6
          name: block
          layers:
            - type: residual
              layers: [layer_norm, {type: linear, out: 64}, relu, {type: linear, out: 64, name: out}]
    init:
      default: kaiming_normal
      overrides:
        - {match: "block.2*out", scheme: {scheme: normal, std: 1.0e-7}}  # all others add as much as they get
    """,
    options=CHECKED,
)


@rule(
    "IP204",
    "gradient-imbalance",
    "backward",
    "warning",
    "heuristic",
    good=(HE, HALF_SCALED),
    bad=(QUIET,),
    follows=("normalization-gradient-explosion", "vanishing-backward", "exploding-backward"),
    thresholds=(SPREAD,),
    needs=(WEIGHT_GRADIENTS,),
)
def gradient_imbalance(case: Case) -> Iterator[Finding]:
    """Some layers have next to no part in what the network does, beside others of their kind.

    What it does:
        Multiplies the norm of each weight with that of its gradient: how far the output moves when the layer changes by
        a given share of itself. No rescaling between layers changes that, nor does a normalization. It compares layers
        that repeat one another block by block, or follow one another through activations and normalizations, and fires
        where the strongest and the weakest of them lie further apart than the limit in all seeds alike. The gradients
        of weights are measured by `check`, and by `run --statistics weight_gradients`.

    Why is this bad:
        Steps that move the strongest layer as far as is good for it leave the weakest one where it was drawn. It is how
        attention shows that all tokens have become one: what the last queries prefer makes no difference any more.

    Not a problem when:
        A layer is meant to come in late. Weights that are zero or get no gradient are left out, and branches that all
        begin small are small together: those that a parameter scales (LayerScale) are not compared with others. Heads,
        embeddings, biases, gates and normalizations are not looked at.

    Options:
        thresholds.gradient_imbalance.factor (10000): strongest over weakest.

    References:
        Tanaka et al. 2020, arXiv:2006.05467, and Du, Hu & Lee 2018, arXiv:1806.00900 (what a chain conserves); Noci et
        al. 2022, arXiv:2206.03126 (queries and keys); You, Gitman & Ginsburg 2017, arXiv:1708.03888 (LARS).
    """
    limit = case.facts.thresholds[SPREAD.key]
    told: set[str] = set()
    groups = [(weights, _log_parts(case, weights)) for weights in map(partial(_known, case), _alike(case)) if weights]
    spreads = [np.ptp(parts, axis=1) for _, parts in groups]
    # From the strongest to the weakest of each seed: which ones these are needs no evidence, and no pair of its own.
    found = case.beyond(np.array(spreads).T, math.log(limit)) if groups else ()
    for (weights, parts), spread in itertools.compress(zip(groups, spreads, strict=True), found):
        means = parts.mean(axis=0)
        strong, weak = weights[means.argmax()], weights[means.argmin()]
        if weak.name not in told:
            yield _finding(case, strong, weak, float(spread.mean()), len(weights))
        told |= {weight.name for weight in weights}


def _known(case: Case, weights: Sequence[Weight]) -> Sequence[Weight]:
    """Those that have a part in every seed, none where they are too few."""
    if len(weights) < FEWEST or not case.seeds:
        return []
    known = np.isfinite(_log_parts(case, weights))
    chosen = [weight for weight, finite in zip(weights, known.T, strict=True) if finite.all()]
    return chosen if len(chosen) >= FEWEST else []


def _alike(case: Case) -> Iterator[Sequence[Weight]]:
    """Weights that repeat one another by name, block by block, then those of a chain with no way around them."""
    weights = {one.name: one for one in case.facts.anatomy.weights if _is_judged(one)}
    gates = {branch.index: branch.gate is not None for branch in case.facts.anatomy.branches}
    kinds: dict[tuple[object, ...], list[Weight]] = {}
    for weight in weights.values():
        alike = without_numbers(weight.name)
        of_score = weight.attention in ("query", "key")  # what collapses for one does for both
        place = (*alike.split(".")[:-2], "score") if of_score else (alike,)
        gated = None if weight.branch is None else gates.get(weight.branch, False)
        kinds.setdefault((weight.role, gated, place), []).append(weight)
    yield from kinds.values()
    weight_of = {site.key: site.weight for site in case.facts.anatomy.sites}
    for chain in weighted_chains(case.facts.anatomy, alone=True):
        yield [weights[name] for key in chain if (name := weight_of.get(key)) is not None and name in weights]


def _is_judged(weight: Weight) -> bool:
    # What one learning rate has to suit: embeddings see few gradients, gates, biases and norms begin at 0 or 1.
    return weight.role in MULTIPLYING_ROLES and weight.traced and weight.trainable and not weight.head


def _log_parts(case: Case, weights: Sequence[Weight]) -> Array:
    """log(norm of the weight x norm of its gradient), shape (seeds, weights)."""
    signals = case.facts.signals
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [
            np.log(signals.gradient(one.name, "rms")) + np.log(signals.value(one.name, "rms") * math.prod(one.shape))
            for one in weights
        ]
    return np.array(parts).T


def _finding(case: Case, strong: Weight, weak: Weight, log_spread: float, layers: int) -> Finding:
    site_of = {site.weight: site.key for site in case.sites()}
    return case.finding(
        f"{strong.name} has ×{wording.gain(math.exp(log_spread))} the part of {weak.name} in what the network does",
        sites=[site_of[one.name] for one in (weak, strong) if one.name in site_of],
        label=f"{weak.name} and {strong.name} (weakest and strongest of {layers} alike)",
        measured=f"norm of the weight times norm of its gradient, {wording.count(case.seeds, 'seed')}; "
        f"warning beyond ×{case.facts.thresholds[SPREAD.key]:g}",
    )
