"""Means and variances of channels against numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS


def measured(tensor, axis):
    leaves = STATISTICS["channel_mean"], STATISTICS["channel_std"]
    view = View(tensor, Workspace(), unit_axis=axis)
    assert leaves[0].reduction.applies(view)
    numbers = leaves[0].reduction.run(view)
    return tuple(leaf.value(numbers) for leaf in leaves)


def expected(tensor, axis):
    rows = np.moveaxis(tensor.double().numpy(), axis, 0).reshape(tensor.shape[axis], -1).astype(np.longdouble)
    return float(np.sqrt((rows.mean(1) ** 2).mean())), float(np.sqrt(rows.var(1).mean()))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([((4, 6), -1), ((3, 5, 7), -1), ((2, 6, 5, 4), -3), ((8, 3, 200, 90), -3), ((2, 300, 257), -1)]),
       st.integers(-30, 30), st.booleans(), st.integers(0, 2**31))  # fmt: skip
def test_channels_are_those_of_numpy(layout, exponent, turned, seed):
    shape, axis = layout
    generator = torch.Generator().manual_seed(seed)
    tensor = (torch.randn(shape, generator=generator) + 0.5) * 10.0**exponent
    if turned and len(shape) == 4:
        tensor = tensor.to(memory_format=torch.channels_last)
    assert measured(tensor, axis) == pytest.approx(expected(tensor, axis), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes(dtype):
    tensor = torch.randn(4, 6, 5).to(dtype)
    assert measured(tensor, -1) == pytest.approx(expected(tensor, -1), rel=1e-9)


def test_float64_beyond_the_square_root_of_its_range():
    tensor = torch.randn(4, 6, dtype=torch.float64) * 1e200
    mean, std = measured(tensor, -1)
    small_mean, small_std = measured(tensor / 1e200, -1)
    assert (mean / 1e200, std / 1e200) == pytest.approx((small_mean, small_std), rel=1e-12)


def test_a_row_of_units_is_no_channel():
    leaf = STATISTICS["channel_std"]
    for tensor, axis in ((torch.randn(6), -1), (torch.randn(1, 6), -1), (torch.randn(4, 6), None)):
        assert not leaf.reduction.applies(View(tensor, Workspace(), unit_axis=axis))
