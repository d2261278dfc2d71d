"""The mean absolute value against its definition."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS


def measured(tensor):
    leaf = STATISTICS["abs_mean"]
    return leaf.value(leaf.reduction.run(View(tensor, Workspace())))


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1.0, 1e30, 1e37])
def test_it_is_the_mean_of_absolute_values(scale):
    tensor = torch.randn(70_000, dtype=torch.float64).mul(scale).float()
    assert measured(tensor) == pytest.approx(tensor.double().abs().mean().item(), rel=1e-12)


def test_only_finite_elements_count():
    assert measured(torch.tensor([1.0, -3.0, math.nan, math.inf])) == 2.0
    assert math.isnan(measured(torch.tensor([math.nan])))
