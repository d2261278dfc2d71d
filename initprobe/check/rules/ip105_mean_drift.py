"""IP105: pre-activations of which all units say the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.records import Site

NARROWEST = 16
"""Units below which chance gives them a mean in common: the share of n units is Beta(1/2, (n - 1)/2) at worst."""

SHARE = Threshold(
    "mean_drift.share",
    0.75,
    "fraction",
    "weights of mean zero leave 1 / units, and an identity behind a relu 1 / pi = 0.32; weights of one sign 0.9 and "
    "more",
    "what all units of a layer have in common is more than this share of the mean square of their values: warning",
)

HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 20, name: block, layers: [{type: linear, out: 64}, relu]}
        - {type: linear, out: 10, name: head}
    init: {default: kaiming_normal}
    """
)
SHIFTED_HEAD = Example(
    """
    import torch
    from torch import nn

    def build():
        head = nn.Linear(64, 16)
        nn.init.constant_(head.bias, -4.6)  # rare classes: a prior of 0.01
        return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), head), torch.randn(64, 32)
    """,
    language="python",
)
POSITIVE = Example(
    """
    import torch
    from torch import nn

    def build():
        layers = []
        for _ in range(4):
            layer = nn.Linear(64, 64)
            nn.init.uniform_(layer.weight, 0.0, 0.05)  # (0, a) where (-a, a) was meant
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers), torch.randn(64, 64)
    """,
    language="python",
)


@rule(
    "IP105",
    "mean-drift",
    "forward",
    "warning",
    "high",
    good=(HE, SHIFTED_HEAD),
    bad=(POSITIVE,),
    follows=("identical-units",),
    thresholds=(SHARE,),
    needs=("shared_mean",),
)
def mean_drift(case: Case) -> Iterator[Finding]:
    """All units of a layer say the same, and little beside it.

    What it does:
        Takes the mean over a layer's units, sample by sample and position by position, less the mean of its bias, and
        compares its mean square with that of the units. Weights of mean zero leave 1 / units there, whatever comes
        in. It fires where the share is beyond the limit in all seeds alike, at layers of 16 units or more. Neighbouring
        layers are one finding.

    Why is this bad:
        The layer has the width of one unit. Behind weights of one sign, what the units have in common grows by their
        number, n, where everything else grows by √n, and buries the signal within a few layers.

    Not a problem when:
        The weights are positive on purpose (an input-convex network). A mean over the samples that each unit has of its
        own, as in deep ReLU nets, is nothing that they share; a bias that was set on purpose is taken off.

    Options:
        thresholds.mean_drift.share (0.75): of the mean square.

    References:
        LeCun et al. 1998, "Efficient BackProp", section 4.3; Glorot & Bengio 2010.
    """
    sites = [site for site in case.sites("weighted") if _is_plain(case, site)]
    keys = [site.key for site in sites]
    shares = _shares(case, sites)
    limit = case.facts.thresholds[SHARE.key]
    flagged = dict(zip(keys, case.beyond(shares, limit), strict=True))
    for run in case.runs(sites, lambda site: bool(flagged[site.key])):
        means = {site.key: float(shares[:, keys.index(site.key)].mean()) for site in run}
        worst = max(means, key=lambda key: means[key])
        yield case.finding(
            f"{100 * means[worst]:.0f} % of the mean square of {worst} is what all its units have in common",
            sites=[site.key for site in run],
            measured=f"square of the mean over units, the bias taken off; {wording.count(case.seeds, 'seed')}, warning "
            f"beyond {100 * limit:g} %",
            expected="next to nothing with weights of mean 0, whatever comes in",
            notes=_weight_mean(case, worst, sites),
        )


def _is_plain(case: Case, site: Site) -> bool:
    """Whether the site shows what a trainable weight makes: a recurrent cell's output went through its activation."""
    weight = None if site.weight is None else case.weight(site.weight)
    wide = site.units is not None and site.units >= NARROWEST
    return wide and weight is not None and weight.trainable and weight.role != "recurrent"


def _shares(case: Case, sites: list[Site]) -> Array:
    """The part of the mean square that all units have in common, shape (seeds, sites), with the bias or without.

    The lesser of the two: where a weight is multiplied by hand, its module's bias is added elsewhere or not at all.
    """
    signals, keys = case.facts.signals, [site.key for site in sites]
    biases = {weight.module: weight.name for weight in case.facts.anatomy.weights if weight.role == "bias"}
    shared, mean, rms = signals.at(keys, "shared_mean"), signals.at(keys, "mean"), signals.rms(keys, "forward")
    shift = np.zeros_like(shared)
    for column, site in enumerate(sites):
        weight = case.weight(site.weight or "")
        bias = None if weight is None else biases.get(weight.module)
        shift[:, column] = 0.0 if bias is None else np.nan_to_num(signals.value(bias, "mean"))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = shift / rms
        whole = (shared / rms) ** 2
        moved = unit**2 - 2.0 * unit * (mean / rms)
        # Of the mean square without that shift.
        return np.asarray(np.minimum(whole, (whole + moved) / (1.0 + moved)), dtype=np.float64)


def _weight_mean(case: Case, key: str, sites: list[Site]) -> list[str]:
    name = next(site.weight for site in sites if site.key == key) or ""
    mean, rms = case.facts.signals.value(name, "mean"), case.facts.signals.value(name, "rms")
    if not np.isfinite(mean).all() or not (rms > 0).all():
        return []
    return [f"the mean of {name} is {wording.gain(float(mean.mean()))}, its RMS {wording.gain(float(rms.mean()))}"]
