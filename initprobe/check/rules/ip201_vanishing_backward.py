"""IP201: the gradient shrinks layer by layer on its way to the input."""

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
TORCH_DEFAULT = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 30, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: torch_default}
    """
)


@rule("IP201", "vanishing-backward", "backward", "error", "high", good=(HE,), bad=(TORCH_DEFAULT,))
def vanishing_backward(case: Case) -> Iterator[Finding]:
    """The gradient shrinks exponentially from the output to the input.

    What it does:
        Fits the log of the gradient's RMS against the distance from the output over every run of at least four layers
        and judges the drift over the whole run, relative to the run's own end and never by absolute norms.

        The steps of a recurrence (calls of a cell, products of one weight with the hidden state) are a run, too, over
        time. That it forgets is a warning at most. Layers that run all steps in one call (nn.LSTM, nn.GRU, nn.RNN)
        show nothing of them.

    Why is this bad:
        The layers near the input learn orders of magnitude more slowly than those near the output. The forward signal
        may look healthy all the same: under PyTorch's default init biases keep it alive.

    Not a problem when:
        A zero-initialized head lets no gradient through before its first update; it is recognized, and the gradient is
        then not judged. A recurrence may forget where the task asks for the last few steps alone; where the loss is
        at every step, each step's gradient comes from its own part of it and does not vanish.

    Options:
        thresholds.backward_drift.warning (10) and thresholds.backward_drift.error (1000): factors over the whole run.

    References:
        Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks";
        Schoenholz et al. 2017, arXiv:1611.01232.
    """
    yield from drifts(case, "backward", "shrinks")
