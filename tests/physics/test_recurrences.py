"""Recurrences whose gain per step is known: the spectral radius of the matrix that acts at every one of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import initprobe as ip

pytestmark = pytest.mark.untraced

STEPS = 24
WIDTH = 256
DRIFTS = {"IP101", "IP102", "IP201", "IP202"}


class Linear(nn.Module):
    """h <- W h + U x, x at the first step alone; W is Gaussian (circular law: Ginibre 1965) or orthogonal."""

    def __init__(self, radius, *, orthogonal):
        super().__init__()
        self.inward, self.hidden = nn.Linear(16, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        if orthogonal:
            nn.init.orthogonal_(self.hidden.weight, gain=radius)
        else:
            nn.init.normal_(self.hidden.weight, std=radius / math.sqrt(WIDTH))

    def forward(self, x):
        h = self.inward(x[:, 0])
        for step in range(1, x.shape[1]):
            h = self.hidden(h) + self.inward(x[:, step])
        return h


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("radius", [0.5, 1.5])
def test_the_gain_per_step_is_the_spectral_radius(radius, orthogonal):
    x = torch.zeros(16, STEPS, 16)
    x[:, 0] = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    entry = ip.probe(lambda: Linear(radius, orthogonal=orthogonal), inputs=x, batch=16).entry
    (segment,) = (one for one in entry.segments if one.kind == "recurrent")
    assert segment.sites[0] == "hidden"
    assert segment.sites[-1] == f"hidden#{STEPS - 1}"
    assert segment.forward.per_layer.mean == pytest.approx(radius, rel=0.02)
    assert segment.backward.per_layer.mean == pytest.approx(radius, rel=0.02)
    found = {(one.rule.code, one.severity) for one in entry.findings if one.rule.code in DRIFTS}
    grown, faded = {("IP102", "error"), ("IP202", "error")}, {("IP101", "warning"), ("IP201", "warning")}
    assert found == (grown if radius > 1.0 else faded)


def test_a_loss_at_every_step_keeps_the_gradient_alive(tmp_path):
    """An LSTM as torch draws it forgets; read at every step it has nothing to lose, read at the last one it has."""
    drifts = {}
    for output in ("sequence", "last"):
        spec = tmp_path / f"{output}.yaml"
        text = f"""
version: 1
model:
  input: {{shape: [40, 16]}}
  layers:
    - {{type: unrolled, kind: lstm, out: 32, name: lstm, output: {output}}}
    - {{type: linear, out: 4, name: head}}
probe: {{seeds: 3, batch: 8}}
"""
        spec.write_text(text, encoding="utf-8")
        drifts[output] = {one.rule.code for one in ip.probe(spec).entry.findings} & DRIFTS
    assert drifts == {"sequence": set(), "last": {"IP201"}}
