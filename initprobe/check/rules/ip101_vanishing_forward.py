"""IP101: the signal shrinks layer by layer, or is gone."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, drifts, rule, wording

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
ZERO_HEAD = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 32}, relu]}
        - {type: linear, out: 10, name: head}
    init: {default: kaiming_normal, overrides: [{match: head, scheme: zeros}]}
    """
)
XAVIER = Example(
    """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: repeat, times: 50, name: block, layers: [{type: linear, out: 64}, relu]}
    init: {default: xavier_normal}
    """
)
ZEROS = Example(
    """
    version: 1
    model:
      input: {shape: [32]}
      layers:
        - {type: repeat, times: 8, name: block, layers: [{type: linear, out: 32}, relu]}
    init: {default: zeros}
    """
)


@rule("IP101", "vanishing-forward", "forward", "error", "high", good=(HE, ZERO_HEAD), bad=(XAVIER, ZEROS))
def vanishing_forward(case: Case) -> Iterator[Finding]:
    """The forward signal shrinks exponentially with depth, or is exactly zero.

    What it does:
        Fits the log of the RMS against depth over every run of at least four layers and judges the drift over the
        whole run, with a confidence interval over seeds. A signal that is exactly zero behind a layer where it was
        not, or at every layer of the network, is found without an interval.

        The steps of a recurrence (calls of a cell, products of one weight with the hidden state) are a run, too, over
        time. That it forgets is a warning at most. Layers that run all steps in one call (nn.LSTM, nn.GRU, nn.RNN)
        show nothing of them.

    Why is this bad:
        A factor g per layer leaves g^L of the signal: 0.707^50 = 3.0e-08. The last layers see next to nothing of the
        input, and in half precision nothing at all.

    Not a problem when:
        A zero-initialized head, gate or residual branch makes a zero on purpose; these are recognized. A normalization
        that resets the scale ends a run.

    Options:
        thresholds.forward_drift.warning (10) and thresholds.forward_drift.error (1000): factors over the whole run.

    References:
        Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks";
        He et al. 2015, arXiv:1502.01852; Schoenholz et al. 2017, arXiv:1611.01232.
    """
    yield from drifts(case, "forward", "shrinks")
    weighted = [site.key for site in case.sites("weighted")]
    inputs = [dict(evidence.trace.inputs) for evidence in case.facts.evidences]
    silent_input = any(each and all(stats.get("rms") == 0 for stats in each.values()) for each in inputs)
    if len(weighted) > 1 and not silent_input and (case.facts.signals.at(weighted, "rms") == 0).all():
        yield case.finding(
            f"the forward signal is exactly 0 in all {len(weighted)} layers",
            sites=weighted,
            measured=f"RMS 0 in every one of {wording.count(case.seeds, 'seed')}, with an input that is not 0",
        )
