"""IP510: biases that are larger than the signal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from initprobe.check.plain import PlainRun, plain_runs
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.records import Site

SHARE = Threshold(
    "nonzero_bias.share",
    0.5,
    "fraction",
    "beyond one half most of what a unit hands on is the same for every input (sigma_b² against sigma_w² q in the "
    "variance map of Poole et al. 2016, arXiv:1606.05340, eq. 3)",
    "the biases' share of the second moment of a layer's pre-activations is above this: info",
)

STACK = """
    import torch
    from torch import nn

    def build():
        layers = []
        for _ in range({depth}):
            linear = nn.Linear(64, 64)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.normal_(linear.bias, std={std})
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers), torch.randn(64, 64)
    """
SMALL = Example(STACK.replace("{depth}", "8").replace("{std}", "0.1"), language="python")
LARGE = Example(STACK.replace("{depth}", "8").replace("{std}", "6.0"), language="python")
FORGET = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 16, batch_first=True)
            self.head = nn.Linear(16, 4)
            nn.init.zeros_(self.lstm.bias_hh_l0)
            nn.init.zeros_(self.lstm.bias_ih_l0)
            nn.init.ones_(self.lstm.bias_ih_l0[16:32])
            nn.init.constant_(self.head.bias, -4.6)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    def build():
        return Net(), torch.randn(32, 6, 8)
    """,
    language="python",
)


@rule(
    "IP510",
    "nonzero-bias",
    "parameters",
    "info",
    "high",
    good=(SMALL, FORGET),
    bad=(LARGE,),
    follows=("vanishing-forward", "vanishing-backward", "exploding-backward", "default-init"),
    thresholds=(SHARE,),
)
def nonzero_bias(case: Case) -> Iterator[Finding]:
    """Biases make up most of the signal in a run of layers.

    What it does:
        Compares the mean square of each bias with that of the pre-activation that it is a part of, in runs of layers
        without normalization, and fires where its share is above the limit over the seeds. A run is one finding.

    Why is this bad:
        A bias is the same for every input. Where it makes up most of a layer's values, inputs look alike behind it,
        and a forward RMS that seems kept is not the input's.

    Not a problem when:
        The bias is meant: an LSTM's forget gate at 1, a detector's prior in the last layer. Recurrent layers and the
        head are not looked at.

    Options:
        thresholds.nonzero_bias.share (0.5): of a layer's second moment.

    References:
        Poole et al. 2016, arXiv:1606.05340, eq. 3; Jozefowicz et al. 2015 (forget bias); Lin et al. 2017,
        arXiv:1708.02002, section 3.3 (prior of a head).
    """
    for run in plain_runs(case):
        found = _shares(case, run)
        if not found:
            continue
        keys = list(found)
        worst = max(keys, key=found.__getitem__)
        yield case.finding(
            f"biases make up {100 * found[worst]:.0f} % of the signal's second moment",
            sites=keys,
            measured=f"{100 * found[worst]:.0f} % at {worst}, {wording.count(case.seeds, 'seed')}; told beyond "
            f"{100 * case.facts.thresholds[SHARE.key]:g} %",
        )


def _shares(case: Case, run: PlainRun) -> dict[str, float]:
    """The biases' share where it is beyond the limit, by call site."""
    signals = case.facts.signals
    biased: list[tuple[Site, str]] = [
        (site, f"{weight.module}.bias".removeprefix("."))
        for site, weight in run.layers
        if case.weight(f"{weight.module}.bias".removeprefix(".")) is not None
    ]
    if not biased:
        return {}
    bias = np.stack([signals.value(name, "rms") for _, name in biased], axis=1)
    whole = signals.rms([site.key for site, _ in biased], "forward")
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (bias / whole) ** 2
    told = case.beyond(share, case.facts.thresholds[SHARE.key])
    means = share.mean(axis=0)
    return {site.key: min(1.0, float(means[i])) for i, (site, _) in enumerate(biased) if told[i]}
