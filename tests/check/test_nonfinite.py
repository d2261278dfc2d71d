"""What NaN and infinity a network can bear: none that gets to an output, a weight or a gradient of one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initprobe as ip


class Log(nn.Module):
    def forward(self, x):
        return x.log()


class Hidden(nn.Module):
    """The logarithm of negative numbers, which ``where`` hides; its gradient is 0 · inf all the same."""

    def __init__(self, norm=False):
        super().__init__()
        self.first = nn.LayerNorm(8) if norm else nn.Linear(8, 8)
        self.log, self.head = Log(), nn.Linear(8, 4)

    def forward(self, x):
        rectified = self.first(x) * (self.first(x) > 0)
        return self.head(torch.where(rectified > 0, self.log(rectified), 0.0))


class OutOfSight(nn.Module):
    """NaN that leaves through numpy, beside an output that is finite."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        hidden = self.first(x)
        return self.head(hidden), torch.from_numpy(hidden.log().detach().numpy().copy())


class MaskedOut(nn.Module):
    """The first token sees nothing: its softmax is NaN, and is taken out again."""

    def __init__(self):
        super().__init__()
        self.project, self.softmax, self.out = nn.Linear(8, 8), nn.Softmax(-1), nn.Linear(8, 8)

    def forward(self, x):
        hidden = torch.ones(4, 4, dtype=torch.bool).triu()
        weights = self.softmax((self.project(x) @ x.transpose(1, 2)).masked_fill(hidden, -torch.inf))
        return self.out(weights.masked_fill(hidden, 0.0) @ x)


def codes(build, inputs, **options):
    result = ip.probe(build, inputs=inputs, batch=16, seeds=2, **options)
    return {one.rule.code for one in result.report.entries[0].findings if one.severity == "error"}


@pytest.mark.parametrize("norm", [False, True])
def test_what_where_hides_still_costs_gradients(norm):
    assert codes(lambda: Hidden(norm), (8,)) & {"IP103", "IP203"}


def test_nobody_calls_it_harmless_who_saw_no_gradient():
    assert "IP103" in codes(Hidden, (8,), backward=False)


def test_an_output_that_no_operation_made_is_an_output():
    assert "IP103" in codes(OutOfSight, (8,))


def test_what_a_mask_takes_out_is_no_error():
    assert codes(MaskedOut, (4, 8)) == set()
