"""A scheme leaves normalizations alone, and so what derives from one, under any name and called or not."""

import copy

import pytest
import torch
from torch import nn

import initprobe as ip


class Scale(nn.LayerNorm):
    pass


class Shift(nn.BatchNorm1d):
    pass


class Net(nn.Module):
    def __init__(self, kind, called):
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(6, 8), kind(8), nn.Linear(8, 3)
        self.called = called

    def forward(self, x):
        x = self.first(x)
        return self.last(self.norm(x) if self.called else x)


@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize("kind", [Scale, Shift])
@pytest.mark.parametrize("scheme", ["kaiming_normal", "normal(std=0.5)"])
def test_a_subclass_of_a_normalization_keeps_its_scale_and_shift(kind, called, scheme):
    model = Net(kind, called)
    before = copy.deepcopy(model.state_dict())
    ip.initialize(model, scheme, inputs=(6,))
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"first.weight", "first.bias", "last.weight", "last.bias"}
