"""Recurrent networks over time: what theory says of every step, beside what a probe measures there.

One matrix serves all steps, so gradients add up as amplitudes where a mean field of fresh weights would add their squares
(decision 26); the networks are wide enough, and the steps few enough, that the draw of the matrix's spectrum is no matter.
"""

from __future__ import annotations

import math
from statistics import fmean, median, stdev

import pytest

import initprobe as ip

pytestmark = pytest.mark.untraced

STEPS = 30
SEEDS = 4
SPEC = """
version: 1
model:
  input: {{shape: [{steps}, {width}]}}
  layers:
    - {{type: unrolled, name: cell, kind: {kind}, out: {width}{more}}}
    - {{type: linear, out: {width}, name: head}}
init: {{default: {scheme}}}
probe: {{seeds: {seeds}, max_seeds: {seeds}, batch: 16}}
"""

CELLS = {
    "tanh, Xavier": ("rnn", "{scheme: xavier_normal}", ", nonlinearity: tanh", 512),
    "tanh, orthogonal": ("rnn", "recurrent_orthogonal", ", nonlinearity: tanh", 512),
    "relu, He": ("rnn", "{scheme: normal, std: 0.0441942}", ", nonlinearity: relu", 512),
    "LSTM, torch": ("lstm", "torch_default", "", 256),
    "LSTM, forget bias": ("lstm", "lstm_forget_bias", "", 256),
    "GRU, torch": ("gru", "torch_default", "", 256),
}


@pytest.fixture(scope="module", params=CELLS)
def steps(request, tmp_path_factory):
    """The cell's hidden state at every step: site summaries, in the order of time."""
    kind, scheme, more, width = CELLS[request.param]
    file = tmp_path_factory.mktemp("time") / "cell.yaml"
    file.write_text(
        SPEC.format(steps=STEPS, width=width, kind=kind, more=more, scheme=scheme, seeds=SEEDS), encoding="utf-8"
    )
    sites = [one for one in ip.probe(file).entry.sites if one.site.path.startswith("cell")]
    hidden = [one for one in sites if not one.site.key.endswith("[1]")]
    assert len(hidden) >= STEPS
    return hidden[-STEPS:]


def test_the_state_of_every_step_is_as_expected(steps):
    off = [math.log(typical(one.forward["rms"].per_seed) / one.expected.accumulated) for one in steps]
    assert abs(fmean(off)) < 0.02
    assert max(map(abs, off)) < 0.05


def test_gradients_shrink_or_grow_per_step_as_expected(steps):
    first, last = steps[0], steps[-1]
    measured = [
        math.log(early / late) / (STEPS - 1)
        for early, late in zip(first.backward["rms"].per_seed, last.backward["rms"].per_seed, strict=True)
    ]
    expected = math.log(first.expected_backward.accumulated / last.expected_backward.accumulated) / (STEPS - 1)
    error = stdev(measured) / math.sqrt(SEEDS)
    assert abs(fmean(measured) - expected) <= max(0.01, 3 * error)
    assert error < 0.01


def test_gradients_at_the_median_step_are_within_a_tenth(steps, request):
    off = [abs(one.expected_backward.accumulated / typical(one.backward["rms"].per_seed) - 1) for one in steps]
    # Under ReLU states have a mean, and along it the gradient decays more slowly: infinite width forgets that direction.
    assert median(off) < (0.2 if "relu" in request.node.name else 0.1)


def typical(draws):
    """The geometric mean over draws, which theory speaks of."""
    return math.exp(fmean(map(math.log, draws)))
