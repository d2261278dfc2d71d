"""IP301: units that are silent on the whole batch."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import Site

CHANCE = 3.3
"""Standard deviations that one layer must stand above chance: 1 in 2000, for a network has many layers."""

FRACTION = Threshold(
    "dead_units.fraction",
    0.6,
    "fraction",
    "deep in a correct He/ReLU net the inputs look alike (cosine -> 1, Cho & Saul 2009), so a unit is silent on a "
    "whole batch with probability up to 1/2: one half must pass, clearly more than one half is a fault",
    "more than this share of a layer's units is silent on the whole batch: warning",
)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 20, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: kaiming_normal}
    """
)
NEGATIVE_BIAS = Example(
    """
    import torch
    from torch import nn

    def build():
        first = nn.Linear(32, 32)
        nn.init.constant_(first.bias, -10.0)
        return nn.Sequential(first, nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)), torch.randn(64, 32)
    """,
    language="python",
)


@rule("IP301", "dead-units", "units", "warning", "high", good=(HE,), bad=(NEGATIVE_BIAS,), thresholds=(FRACTION,))
def dead_units(case: Case) -> Iterator[Finding]:
    """Far more units of a layer than chance allows are silent on the whole batch.

    What it does:
        Looks at activations that are exactly zero on a half-line (ReLU and its kin) and averages over seeds the share
        of units that are zero for every sample of the batch. It fires when the share is beyond the limit by more than
        chance can do: a unit is dead or alive like a coin, so n units over s seeds leave an uncertainty of
        0.5 / sqrt(n s). A layer whose input is already all zero is a vanished signal (IP101), not a dead layer.
        One that is silent as a whole, in every seed, is an error: nothing gets through, and no gradient comes back. It
        stays a warning where a layer before it puts out zeros, on purpose or not: what is silent may get nothing.

    Why is this bad:
        A unit that never fires gets no gradient and does not learn; a layer of them loses the input.

    Not a problem when:
        About half of the units are dead: deep in a correct ReLU net the inputs of one batch look alike, so every unit
        is on for all of them or off for all of them. The default limit is above that.

    Options:
        thresholds.dead_units.fraction (0.6): share of one layer's units.

    References:
        Lu et al. 2019, "Dying ReLU and Initialization", arXiv:1903.06733; Cho & Saul 2009.
    """
    sites = case.sites()
    shares: dict[str, float] = {}
    for before, site in zip((None, *sites), sites, strict=False):
        if site.kind != "activation" or (
            before is not None and (case.facts.signals.at([before.key], "rms") == 0).all()
        ):
            continue
        dead = case.facts.signals.at([site.key], "dead_fraction")
        if not np.isnan(dead).any() and _beyond_chance(case, site, float(dead.mean())):
            shares[site.key] = float(dead.mean())
    limit = case.facts.thresholds[FRACTION.key]
    for run in case.runs([site for site in sites if site.kind == "activation"], lambda site: site.key in shares):
        keys = [site.key for site in run]
        worst = max(keys, key=lambda key: shares[key])
        yield case.finding(
            f"{100 * shares[worst]:.0f} % of the units are silent on the whole batch",
            severity="error" if shares[worst] == 1.0 and _is_fed(case, worst) else "warning",
            sites=keys,
            measured=f"{100 * shares[worst]:.0f} % of {run[keys.index(worst)].units} units at {worst}, "
            f"{wording.count(case.seeds, 'seed')}; warning beyond {100 * limit:g} %",
        )


def _is_fed(case: Case, key: str) -> bool:
    """Whether every layer that ran before a site puts out something."""
    sites = case.sites("weighted", "norm", "activation")
    order = next(site.order for site in sites if site.key == key)
    before = [site.key for site in sites if site.order < order]
    return not (case.facts.signals.at(before, "rms") == 0).all(axis=0).any()


def _beyond_chance(case: Case, site: Site, share: float) -> bool:
    """Whether a share is beyond the limit by more than coin tosses explain."""
    draws = 1 if case.facts.one_draw else case.seeds
    uncertainty = 0.5 / math.sqrt((site.units or 1) * draws)
    return share - case.facts.planned.deviations(CHANCE) * uncertainty > case.facts.thresholds[FRACTION.key]
