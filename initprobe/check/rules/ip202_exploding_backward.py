"""IP202: the gradient grows layer by layer on its way to the input."""

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
CHAOTIC_TANH = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 30, name: block, layers: [{type: linear, out: 64}, tanh]}
    init: {default: {scheme: normal, std: 0.5}}  # sigma_w = 4: far into the chaotic phase
    """
)


@rule("IP202", "exploding-backward", "backward", "error", "high", good=(HE,), bad=(CHAOTIC_TANH,))
def exploding_backward(case: Case) -> Iterator[Finding]:
    """The gradient grows exponentially from the output to the input.

    What it does:
        Fits the log of the gradient's RMS against the distance from the output over every run of at least four layers
        and judges the drift over the whole run, relative to the run's own end and never by absolute norms.

        The steps of a recurrence (calls of a cell, products of one weight with the hidden state) are a run, too, over
        time. Layers that run all steps in one call (nn.LSTM, nn.GRU, nn.RNN) show nothing of them.

    Why is this bad:
        The layers near the input take steps that are orders of magnitude too large while those near the output hardly
        move. A bounded activation hides it from the forward pass: the signal saturates and looks fine.

    Not a problem when:
        The growth is mild: a tanh net at its fixed point gains about 9 % per layer, which depth 20 can bear.

    Options:
        thresholds.backward_drift.warning (10) and thresholds.backward_drift.error (1000): factors over the whole run.

    References:
        Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232.
    """
    yield from drifts(case, "backward", "grows")
