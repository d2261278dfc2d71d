"""Kurtosis, number of different values, and a fingerprint of a parameter."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

WORKSPACE = Workspace()


def measured(name, tensor):
    leaf = STATISTICS[name]
    return leaf.value(leaf.reduction.run(View(tensor, WORKSPACE)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_kurtosis_tells_distributions_apart_whatever_their_scale(scale):
    assert measured("kurtosis", scale * torch.randn(300, 300, generator=generator())) == pytest.approx(3.0, abs=0.2)
    assert measured("kurtosis", scale * torch.rand(300, 300, generator=generator())) == pytest.approx(1.8, abs=0.05)
    assert measured("kurtosis", scale * (2.0 * torch.randint(2, (300, 300), generator=generator()) - 1)) == (
        pytest.approx(1.0, abs=0.01)
    )


def test_kurtosis_of_one_number_is_not_there():
    assert math.isnan(measured("kurtosis", torch.full((5, 5), 0.3)))


def test_structure_has_few_different_values_and_a_draw_many():
    assert measured("distinct", torch.eye(256)) == 2
    assert measured("distinct", torch.zeros(7)) == 1
    assert measured("distinct", torch.tensor([1.0, -1.0, 2.0])) == 2
    assert measured("distinct", torch.randn(64, 64, generator=generator())) > 800


def test_a_fingerprint_is_that_of_the_values_and_their_order_and_not_of_the_layout():
    weight = torch.randn(40, 30, generator=generator())
    same = measured("fingerprint", weight)
    assert measured("fingerprint", weight.clone()) == same
    assert measured("fingerprint", weight.t().contiguous().t()) == same
    assert measured("fingerprint", weight.flip(0)) != same
    assert measured("fingerprint", torch.randn(40, 30, generator=generator(1))) != same


def test_a_large_tensor_is_sampled_over_all_columns():
    weight = torch.zeros(4096, 1024)
    weight[:, 700:720] = torch.randn(4096, 20, generator=generator())
    assert measured("distinct", weight) > 8


def test_infinities_and_nan_are_told_apart():
    mask = torch.full((300, 300), -math.inf).triu(1)
    assert measured("nan_count", mask) == 0
    assert measured("nan_count", torch.ones(4)) == 0
    mask[0, :3] = math.nan
    assert measured("nan_count", mask) == 3
    assert measured("nan_count", torch.full((2, 2), math.nan)) == 4
