"""The exponent histogram against numpy's frexp."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS
from tests.measure.layouts import tensors


def counted(tensor):
    leaf = STATISTICS["exponents"]
    return leaf.value(leaf.reduction.run(View(tensor, Workspace())))


@settings(max_examples=150, deadline=None)
@given(tensors())
def test_every_value_is_in_the_bin_of_its_exponent(tensor):
    values = np.abs(tensor.float().reshape(-1).double().numpy())
    expected = np.zeros(256)
    for value in values:
        if not math.isfinite(value):
            expected[255] += 1
        elif value < 2.0**-126:
            expected[0] += 1
        else:
            expected[math.frexp(value)[1] - 1 + 127] += 1
    assert counted(tensor) == tuple(expected)
    assert sum(counted(tensor)) == tensor.numel()


@pytest.mark.parametrize(("value", "place"), [(1.0, 127), (-1.0, 127), (0.99, 126), (0.0, 0), (1e-40, 0), (3e38, 254)])
def test_known_places(value, place):
    assert counted(torch.tensor([value]))[place] == 1


def test_negated_views_are_read():
    assert counted(torch.complex(torch.ones(3), torch.full((3,), 2.0)).conj().imag)[128] == 3
