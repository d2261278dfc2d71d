"""The mean that all units share, on every layout of units."""

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

WORKSPACE = Workspace()
LEAF = STATISTICS["shared_mean"]
SHAPES = {"linear": ((16, 10), -1), "conv": ((4, 10, 3, 5), -3), "tokens": ((4, 7, 10), -1)}
LAYOUTS = pytest.mark.parametrize(("shape", "axis"), list(SHAPES.values()), ids=list(SHAPES))


def measured(tensor, axis, *, weighted=True):
    view = View(tensor, WORKSPACE, unit_axis=axis, weighted=weighted)
    return LEAF.value(LEAF.reduction.run(view)) if LEAF.reduction.applies(view) else None


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_it_is_the_root_mean_square_of_the_means_over_units(shape, axis, dtype):
    tensor = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 0.3).to(dtype)
    expected = tensor.double().mean(axis).square().mean().sqrt().item()
    assert measured(tensor, axis) == pytest.approx(expected, rel=1e-6)


@LAYOUTS
def test_units_that_agree_share_all_they_have(shape, axis):
    one = torch.randn(tuple(1 if place == len(shape) + axis else size for place, size in enumerate(shape)))
    tensor = one.expand(shape)
    assert measured(tensor, axis) == pytest.approx(tensor.square().mean().sqrt().item(), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_any_scale_is_held(scale):
    tensor = torch.full((4, 10), scale, dtype=torch.float32)
    assert measured(tensor, -1) == pytest.approx(scale, rel=1e-6)


def test_what_has_no_units_has_no_share():
    assert measured(torch.ones(4, 10), None) is None
    assert measured(torch.ones(4, 1), -1) is None
    assert measured(torch.ones(4, 10), -1, weighted=False) is None


def test_a_value_that_is_not_finite_leaves_no_mean():
    assert math.isnan(measured(torch.full((4, 10), math.inf), -1))
