"""The share of saturated values, counted on every path."""

import math

import pytest
import torch

from initprobe.measure.moments import Workspace, deferred_moments
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

WORKSPACE = Workspace()
BOUNDS = (-0.5, 0.75)
LEAF = STATISTICS["saturated_fraction"]


def measured(tensor, flat=BOUNDS, *, away=False):
    view = View(tensor, WORKSPACE, flat=flat)
    if away:
        view._moments = deferred_moments(view.values)
    if not LEAF.reduction.applies(view):
        return None
    numbers = LEAF.reduction.run(view)
    return LEAF.value(numbers.tolist() if isinstance(numbers, torch.Tensor) else numbers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [64, 100_000])
@pytest.mark.parametrize("away", [False, True])
def test_it_is_the_share_at_or_beyond_the_bounds(dtype, size, away):
    tensor = (torch.rand(2, size, generator=torch.Generator().manual_seed(0)) * 2 - 1).to(dtype)
    expected = ((tensor <= -0.5) | (tensor >= 0.75)).double().mean().item()
    assert measured(tensor, away=away) == pytest.approx(expected, abs=1e-12)
    assert measured(tensor.t(), away=away) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("away", [False, True])
def test_the_bounds_themselves_count_and_what_is_not_finite_does_not(away):
    tensor = torch.tensor([-0.5, 0.0, 0.75, math.nan, math.inf, -math.inf])
    assert measured(tensor, away=away) == pytest.approx(2 / 3)


def test_where_nothing_comes_near_the_bounds_nothing_is_counted():
    assert measured(torch.zeros(4, 4)) == 0.0
    assert measured(torch.zeros(4, 4).double()) == 0.0


def test_other_values_do_not_saturate():
    assert measured(torch.ones(4), flat=None) is None
    assert measured(torch.ones(4, dtype=torch.complex64)) is None


def test_without_a_finite_value_there_is_no_share():
    assert math.isnan(measured(torch.full((4,), math.nan)))
