"""IP102: the signal grows layer by layer."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, drifts, rule

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
TWICE_HE = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 30, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: {scheme: normal, std: 0.3536}}  # 2 sqrt(2 / 64): He doubled
    """
)


@rule(
    "IP102",
    "exploding-forward",
    "forward",
    "error",
    "high",
    good=(HE,),
    bad=(TWICE_HE,),
    follows=("uninitialized-parameter", "residual-growth"),
)
def exploding_forward(case: Case) -> Iterator[Finding]:
    """The forward signal grows exponentially with depth.

    What it does:
        Fits the log of the RMS against depth over every run of at least four layers and judges the drift over the
        whole run, with a confidence interval over seeds. Growth like the square root of depth, as in a residual
        stream, is not exponential and stays below the limits at any depth.

        The steps of a recurrence (calls of a cell, products of one weight with the hidden state) are a run, too, over
        time. Layers that run all steps in one call (nn.LSTM, nn.GRU, nn.RNN) show nothing of them.

    Why is this bad:
        A factor of 2 per layer overflows float16 after 16 layers and float32 after 128. Long before that the outputs,
        the loss and the gradients are so large that the first update destroys the weights.

    Not a problem when:
        A normalization resets the scale; it ends a run.

    Options:
        thresholds.forward_drift.warning (10) and thresholds.forward_drift.error (1000): factors over the whole run.

    References:
        He et al. 2015, arXiv:1502.01852; Hanin & Rolnick 2018, "How to Start Training", arXiv:1803.01719.
    """
    yield from drifts(case, "forward", "grows")
