"""The RMS of every time step, in any layout and any size of numbers, on and off the CPU."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace, deferred_moments
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

LEAF = STATISTICS["rms_by_step"]


def told(tensor, axis, *, away=False):
    view = View(tensor, Workspace(), batch=4, step_axis=axis)
    if away:
        view._moments = deferred_moments(view.values)
    assert LEAF.reduction.applies(view)
    numbers = LEAF.reduction.run(view)
    assert isinstance(numbers, torch.Tensor) == away
    return LEAF.value(numbers.tolist() if away else numbers)


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e25, 1e-30, 1e-42])
@pytest.mark.parametrize(("axis", "others"), [(-2, (0, 2)), (-3, (1, 2))])
def test_every_step_is_exact(away, scale, axis, others):
    generator = torch.Generator().manual_seed(0)
    tensor = torch.randn(4, 5, 6, generator=generator).mul_(scale)
    tensor = tensor * torch.linspace(1, 2, 5 if axis == -2 else 4).reshape(-1, *[1] * (-axis - 1))
    expected = tensor.double().square().mean(others).sqrt()
    # A denormal number has fewer digits than the others, but they are the same here and there.
    assert told(tensor, axis, away=away) == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize("away", [False, True])
def test_what_is_not_finite_is_left_out(away):
    tensor = torch.ones(3, 4, 2)
    tensor[0, 1, 0], tensor[:, 2] = math.inf, math.nan
    first, second, third, fourth = told(tensor, -2, away=away)
    assert (first, second, fourth) == (1.0, 1.0, 1.0)
    assert math.isnan(third)


@pytest.mark.parametrize("away", [False, True])
def test_complex_and_turned_tensors(away):
    plain = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(1))
    expected = told(plain, -2)
    assert told(plain.transpose(0, 1), -3, away=away) == pytest.approx(expected)
    assert told(torch.complex(plain, plain).conj(), -2, away=away) == pytest.approx(expected)
    assert told(plain.bfloat16(), -2, away=away) == pytest.approx(expected, rel=1e-2)


def test_it_is_silent_where_no_axis_is_known():
    for tensor, axis in ((torch.ones(2, 3), None), (torch.ones(3), -2), (torch.tensor(1.0), -3)):
        assert not LEAF.reduction.applies(View(tensor, Workspace(), step_axis=axis))
