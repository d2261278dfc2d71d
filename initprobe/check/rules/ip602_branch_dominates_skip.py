"""IP602: a branch that drowns the stream it is added to."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.residual import residual_streams
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import ResidualBlock

RATIO = Threshold(
    "branch_ratio.factor",
    10.0,
    "factor",
    "one decade: less than 1 % of the sum's variance has come along the skip; unscaled He branches add 1 to 1, "
    "normalized ones 1 to √l (De & Smith 2020, arXiv:2002.10444)",
    "the standard deviation of what a branch adds is more than this times that of what it is added to: info",
)

PRE_NORM = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - type: repeat
          times: 3
          name: block
          layers:
            - type: residual
              layers: [layer_norm, {type: linear, out: 64}, relu, {type: linear, out: 64}]
    init: {default: kaiming_normal}
    """,
    options=(("batch", 32),),
)
LOUD = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - type: repeat
          times: 3
          name: block
          layers:
            - type: residual
              layers: [layer_norm, {type: linear, out: 64, name: wide}, relu, {type: linear, out: 64}]
    init:
      default: kaiming_normal
      overrides: [{match: "block.1*wide", scheme: {scheme: normal, std: 10.0}}]
    """,
    options=(("batch", 32),),
)


@rule(
    "IP602",
    "branch-dominates-skip",
    "residual",
    "info",
    "high",
    good=(PRE_NORM,),
    bad=(LOUD,),
    follows=("residual-growth", "exploding-forward"),
    thresholds=(RATIO,),
)
def branch_dominates_skip(case: Case) -> Iterator[Finding]:
    """A residual branch adds far more than the skip carries.

    What it does:
        Compares the standard deviation of what each branch adds with that of what it is added to. It fires beyond the
        first block of a stream where the ratio is above the limit in all seeds alike. Neighbouring blocks of a stream
        are one finding.

    Why is this bad:
        The way around the branch is what makes deep residual networks trainable. Where the branch is ten times as
        large, the block is a plain layer: what earlier blocks have computed is a hundredth of the signal behind it.

    Not a problem when:
        The stream is meant to begin there. The first block of a stream, which adds to an embedding of any scale, is
        not looked at, nor is a projection shortcut, which begins a stream anew.

    Options:
        thresholds.branch_ratio.factor (10): branch over skip.

    References:
        De & Smith 2020, arXiv:2002.10444; Zhang, Dauphin & Ma 2019, arXiv:1901.09321.
    """
    kinds = {branch.index: branch.skip for branch in case.facts.anatomy.branches}
    limit = case.facts.thresholds[RATIO.key]
    sites = {site.key: site for site in case.sites()}
    for stream in residual_streams(case.facts.anatomy, case.facts.signals):
        first = stream.blocks[0].join
        later = [
            block
            for block in stream.blocks
            if block.join != first and block.join in sites and kinds[block.branch] != "projection"
        ]
        ratios = {block.join: block for block in later if _dominates(case, block, limit, len(later))}
        for run in case.runs([sites[block.join] for block in later], lambda site: site.key in ratios):  # noqa: B023
            worst = max((ratios[site.key] for site in run), key=_mean)
            yield case.finding(
                f"the branch of {worst.block} adds ×{wording.gain(_mean(worst))} what its skip carries",
                sites=[site.key for site in run],
                label=f"{wording.span([site.key for site in run])} ({wording.count(len(run), 'block')})",
                measured=f"standard deviation of the branch over that of the skip, "
                f"{wording.count(case.seeds, 'seed')}; told beyond ×{limit:g}",
            )


def _mean(block: ResidualBlock) -> float:
    return 0.0 if block.ratio is None else block.ratio.mean


def _dominates(case: Case, block: ResidualBlock, limit: float, of: int) -> bool:
    if block.ratio is None:
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.array(block.ratio.per_seed, dtype=np.float64))[:, None]
    return bool(case.beyond(logs, math.log(limit), of=of).any())
