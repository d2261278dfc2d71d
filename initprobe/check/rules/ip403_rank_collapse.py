"""IP403: the tokens of a sequence become indistinguishable with depth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import Site

RESIDUAL = Threshold(
    "rank_collapse.residual",
    0.1,
    "fraction",
    "a residual of 0.1 is a mean cosine of 0.99 between the tokens; 24 pre-norm transformer blocks keep 0.4 of 0.97, "
    "24 post-norm ones 0.002, and attention without skips is below it in two (Dong et al. 2021, arXiv:2103.03404)",
    "what is left of the tokens without their mean, over the most that was left before, is less than this: warning",
)
LEAST = 1e-12
"""Tokens that are equal to the last digit have no logarithm."""

TRANSFORMER = Example(
    """
    version: 1
    model:
      input: {shape: [16, 32]}
      layers:
        - {type: repeat, times: 4, name: block, layers: [{type: transformer, heads: 4}]}
    init: {default: xavier_normal}
    """
)
NO_SKIPS = Example(
    """
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, width)
            self.attention = nn.MultiheadAttention(width, 4, batch_first=True)

        def forward(self, x):
            x = self.norm(x)
            return self.out(self.attention(x, x, x, need_weights=False)[0])

    def build():
        return nn.Sequential(*(Attention(32) for _ in range(6))), torch.randn(8, 24, 32)
    """,
    language="python",
)


@rule(
    "IP403",
    "rank-collapse",
    "geometry",
    "warning",
    "high",
    good=(TRANSFORMER,),
    bad=(NO_SKIPS,),
    follows=("vanishing-forward", "exploding-forward"),
    thresholds=(RESIDUAL,),
    needs=("token_residual",),
)
def rank_collapse(case: Case) -> Iterator[Finding]:
    """The tokens of a sequence become indistinguishable with depth: the signal's rank collapses to one.

    What it does:
        Takes the mean token from the tokens of one sample and looks at what is left, relative to all of it: the
        residual, 0 where every token is the same. It follows the network's main path (joins, and weights that lie on
        no residual branch) and fires where the residual falls below the limit, relative to the most that there was
        before, and stays there to the end. What a branch puts out is not looked at: attention that has learned
        nothing averages over all tokens, and the skip keeps them apart.

    Why is this bad:
        Attention averages. Without skips to keep tokens apart its output converges to one token, doubly exponentially
        with depth. What comes behind cannot tell positions apart, and the gradients of queries and keys vanish.

    Not a problem when:
        Positions are meant to be forgotten: a global average that is spread over the sequence again.

    Options:
        thresholds.rank_collapse.residual (0.1): share of the largest residual before.

    References:
        Dong, Cordonnier & Loukas 2021, "Attention is not all you need", arXiv:2103.03404, theorem 1; Noci et al. 2022,
        "Signal propagation in transformers", arXiv:2206.03126, section 3.
    """
    sites = case.main_path()
    residual = case.facts.signals.at([site.key for site in sites], "token_residual")
    known = np.flatnonzero(~np.isnan(residual).any(axis=0))
    path, residual = [sites[place] for place in known], residual[:, known]
    # An embedding is where tokens come from, and that of their types may be one for all of them.
    judged = [place for place, site in enumerate(path) if place > 0 and site.kind != "embedding"]
    if not judged:
        return
    before = np.maximum.accumulate(residual, axis=1)[:, [place - 1 for place in judged]]
    share = np.maximum(residual[:, judged], LEAST) / np.maximum(before, LEAST)
    lost = case.beyond(np.log(share), math.log(case.facts.thresholds[RESIDUAL.key]), "below")
    kept = np.flatnonzero(~lost)
    collapsed = judged[int(kept[-1]) + 1 if len(kept) else 0 :]
    if collapsed:
        yield _collapsed(case, path, residual.mean(axis=0), collapsed)


def _collapsed(case: Case, path: Sequence[Site], residual: NDArray[np.float64], collapsed: Sequence[int]) -> Finding:
    most, last = int(np.argmax(residual[: collapsed[0]])), collapsed[-1]
    return case.finding(
        f"the tokens of a sequence become one: {wording.size(float(residual[last]))} of their norm tells them apart at "
        f"{path[last].key}, {wording.size(float(residual[most]))} did at {path[most].key}",
        sites=[path[place].key for place in collapsed],
        measured=f"residual without the mean token, {wording.count(case.seeds, 'seed')}; warning below "
        f"{case.facts.thresholds[RESIDUAL.key]:g} of the largest before",
    )
