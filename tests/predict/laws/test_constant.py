"""A tensor of one number owes a signal its shape and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initprobe as ip


class Beside(nn.Module):
    """A layer that is fed ones in the shape of its input, and the input itself past it."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(256, 256, bias=False)

    def forward(self, x):
        return x + self.layer(torch.ones_like(x))


def test_ones_are_ones_and_take_no_gradient():
    result = ip.probe(Beside, inputs=(256,), scheme="lecun", seeds=2, batch=32)
    layer, *_, whole = result.sites.values()
    assert layer.expected.accumulated == pytest.approx(layer.forward["rms"].mean, rel=0.1)
    assert layer.expected.accumulated == pytest.approx(1.0, rel=0.05)
    assert whole.expected.accumulated == pytest.approx(2**0.5, rel=0.05)
