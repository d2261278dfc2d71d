"""Cosine and pair distance against float64."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS
from initprobe.measure.statistics.pairs import ELEMENTS, PAIRS

WORKSPACE = Workspace()


def measured(tensor, **attributes):
    """Both statistics, None where they do not apply."""
    attributes = {"batch": len(tensor) if tensor.dim() else 1, "on_stream": True} | attributes
    view = View(tensor, WORKSPACE, **attributes)
    reduction = STATISTICS["cosine"].reduction
    assert STATISTICS["pair_distance"].reduction is reduction
    if not reduction.applies(view):
        return None
    numbers = reduction.run(view)
    return STATISTICS["cosine"].value(numbers), STATISTICS["pair_distance"].value(numbers)


def expected(tensor):
    """The same from the definition, in float64, scaled so that it stays in range."""
    wide = (torch.view_as_real(tensor) if tensor.is_complex() else tensor).double()
    size = wide[0].numel()
    number = min(len(wide) // 2, PAIRS, max(4, ELEMENTS // (2 * size)))
    wide = wide[: 2 * number].reshape(2, number, -1)
    scale = wide.abs().max()
    left, right = wide / scale
    distance = (left - right).square().mean().sqrt() * scale
    return torch.cosine_similarity(left, right, dim=1, eps=0.0).mean().item(), distance.item()


def assert_right(tensor, close=1e-6):
    cosine, distance = measured(tensor)
    wanted = expected(tensor)
    assert cosine == pytest.approx(wanted[0], abs=2e-6)
    assert distance == pytest.approx(wanted[1], rel=close)


@pytest.mark.parametrize("scale", [1e-44, 1e-38, 1e-30, 1e-20, 1e-12, 1.0, 1e12, 1e18, 1e30, 1e37])
@pytest.mark.parametrize("shape", [(2, 3), (5, 7), (64, 33), (40, 20_000), (9, 4, 5, 5)])
def test_at_every_scale(shape, scale):
    generator = torch.Generator().manual_seed(0)
    assert_right(torch.randn(shape, generator=generator) * scale)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("gap", [1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("size", [30, 20_000])
def test_pairs_that_are_nearly_equal_keep_their_distance(gap, size, scale):
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(4, size, generator=generator)
    tensor = torch.cat([base, base + gap * torch.randn(4, size, generator=generator)]) * scale
    assert_right(tensor)
    assert 0 < 1 - measured(tensor)[0] + 1e-6 < 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes(dtype):
    assert_right(torch.randn(8, 50).to(dtype))


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e200, 1e300])
def test_float64_stays_in_range(scale):
    assert_right(torch.randn(8, 50, dtype=torch.float64) * scale)


def test_complex_and_strided_values():
    values = torch.randn(8, 5, 6)
    assert_right(torch.complex(values, values.flip(0)))
    assert_right(values.transpose(1, 2))
    assert_right(values[:, :1].expand_as(values))


def test_identical_samples_have_no_distance():
    cosine, distance = measured(torch.randn(1, 9).expand(6, 9).contiguous())
    assert cosine == pytest.approx(1.0)
    assert distance == 0


def test_opposite_samples():
    half = torch.randn(3, 9)
    cosine, distance = measured(torch.cat([half, -half]))
    assert cosine == pytest.approx(-1.0)
    assert distance == pytest.approx(2 * half.square().mean().sqrt().item(), rel=1e-6)


def test_a_silent_batch_has_a_distance_of_zero_and_no_cosine():
    cosine, distance = measured(torch.zeros(4, 5))
    assert math.isnan(cosine)
    assert distance == 0


@pytest.mark.parametrize("fill", [math.nan, math.inf])
def test_values_that_are_not_finite_give_no_number(fill):
    tensor = torch.randn(4, 5)
    tensor[1, 2] = fill
    assert all(math.isnan(value) for value in measured(tensor))


@pytest.mark.parametrize(
    ("tensor", "attributes"),
    [
        (torch.randn(1, 5), {}),
        (torch.randn(6, 5), {"batch": 3}),  # axis 0 does not count samples
        (torch.randn(6, 5), {"batch": None}),
        (torch.tensor(1.0), {}),
        (torch.randn(6, 5), {"on_stream": False}),
    ],
)
def test_where_there_are_no_pairs(tensor, attributes):
    assert measured(tensor, **attributes) is None


@pytest.mark.parametrize("ratio", [1.0, 50.0, 1e3, 1e5, 1e8])
def test_samples_of_very_unlike_size_have_their_own_cosine(ratio):
    torch.manual_seed(0)
    values = torch.randn(2, 64)
    values[1] = values[0] + 0.3 * values[1]
    expected = torch.cosine_similarity(values[:1].double(), values[1:].double()).item()
    values[0] *= ratio
    assert measured(values)[0] == pytest.approx(expected, abs=2e-5)
