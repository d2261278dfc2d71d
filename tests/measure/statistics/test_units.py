"""Dead units and the spread between units, on every layout of units."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

WORKSPACE = Workspace()
SHAPES = {"linear": ((16, 10), -1), "conv": ((4, 10, 3, 5), -3), "tokens": ((4, 7, 10), -1), "left": ((10, 16), -2)}
SAMPLED = {name: plan for name, plan in SHAPES.items() if name != "left"}  # where axis 0 counts samples
SAMPLES_FIRST = pytest.mark.parametrize(("shape", "axis"), list(SAMPLED.values()), ids=list(SAMPLED))
LAYOUTS = pytest.mark.parametrize(("shape", "axis"), list(SHAPES.values()), ids=list(SHAPES))


def measured(name, tensor, axis, **attributes):
    view = View(tensor, WORKSPACE, batch=len(tensor) if tensor.dim() else 1, unit_axis=axis, **attributes)
    reduction = STATISTICS[name].reduction
    return STATISTICS[name].value(reduction.run(view)) if reduction.applies(view) else None


def dead(tensor, axis):
    return measured("dead_fraction", tensor, axis, can_die=True)


def spread(tensor, axis):
    return measured("unit_spread", tensor, axis, weighted=True)


@LAYOUTS
@pytest.mark.parametrize("number", [0, 1, 4, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_units_that_never_fire_are_counted(shape, axis, number, dtype):
    tensor = torch.randn(shape).relu().to(dtype)
    tensor.select(axis, 0).fill_(1.0)
    tensor.narrow(axis, 10 - number, number).zero_()
    assert dead(tensor, axis) == pytest.approx(number / 10)


@LAYOUTS
def test_a_unit_that_fires_once_lives(shape, axis):
    tensor = torch.zeros(shape)
    tensor.select(axis, 3)[(-1,) * (tensor.dim() - 1)].fill_(-1e-30)
    assert dead(tensor, axis) == pytest.approx(9 / 10)


def test_a_unit_of_nan_is_not_dead():
    tensor = torch.zeros(4, 2)
    tensor[1, 0] = math.nan
    assert dead(tensor, -1) == 0.5


def test_strided_values_have_the_same_dead_units():
    tensor = torch.randn(4, 10, 6, 6).relu()
    tensor[:, :3] = 0
    assert dead(tensor.to(memory_format=torch.channels_last), -3) == pytest.approx(0.3)
    assert dead(tensor[:, ::2, 1:], -3) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("tensor", "axis", "can_die"),
    [(torch.zeros(4, 3), None, True), (torch.zeros(4, 3), -1, False), (torch.zeros(4), -1, True),
     (torch.zeros(4, 3), -3, True)],
)  # fmt: skip
def test_where_no_unit_can_die(tensor, axis, can_die):
    assert measured("dead_fraction", tensor, axis, can_die=can_die) is None


@SAMPLES_FIRST
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1.0, 1e30, 3e37])
def test_identical_units_have_no_spread(shape, axis, scale):
    tensor = torch.randn(shape) * scale
    tensor.copy_(tensor.select(axis, 0).unsqueeze(axis).expand(shape))
    assert spread(tensor, axis) == 0


@SAMPLES_FIRST
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1.0, 1e30])
def test_one_different_unit_is_seen(shape, axis, scale):
    tensor = torch.full(shape, scale)
    tensor.select(axis, 7).mul_(0.5)
    assert spread(tensor, axis) == pytest.approx(0.5, rel=1e-3)


@SAMPLES_FIRST
def test_silent_first_samples_hide_nothing(shape, axis):
    tensor = torch.zeros(2 * shape[0], *shape[1:])
    assert spread(tensor, axis) == 0
    tensor[-1].select(axis, 0).fill_(3.0)
    assert spread(tensor, axis) == 1.0


@pytest.mark.parametrize(("dtype", "edge"), [(torch.float16, 65504.0), (torch.bfloat16, 3e38), (torch.float32, 3e38)])
def test_the_spread_does_not_overflow(dtype, edge):
    assert spread(torch.tensor([[edge, -edge]] * 3, dtype=dtype), -1) == pytest.approx(2.0)


def test_silent_units_have_no_spread_and_nan_has_none():
    assert spread(torch.zeros(4, 3), -1) == 0
    assert math.isnan(spread(torch.full((4, 3), math.nan), -1))


@pytest.mark.parametrize(
    ("tensor", "axis", "weighted"),
    [(torch.zeros(4, 1), -1, True), (torch.zeros(4, 3), None, True), (torch.zeros(4, 3), -1, False),
     (torch.zeros(3), -1, True), (torch.zeros(10, 16), -2, True), (torch.zeros(4, 3, dtype=torch.complex64), -1, True)],
)  # fmt: skip
def test_where_there_are_no_units_to_compare(tensor, axis, weighted):
    assert measured("unit_spread", tensor, axis, weighted=weighted) is None
