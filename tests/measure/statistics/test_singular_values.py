"""Singular values of a weight against matrices whose singular values are known."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS

NAMES = ("singular_value_mean", "singular_value_max", "singular_value_min")


def measured(tensor):
    view = View(tensor, Workspace())
    leaves = [STATISTICS[name] for name in NAMES]
    assert all(leaf.reduction.applies(view) for leaf in leaves)
    return [leaf.value(leaf.reduction.run(view)) for leaf in leaves]


@pytest.mark.parametrize("scale", [1e-40, 1e-20, 1.0, 1e20, 1e37])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_those_of_a_diagonal_are_its_entries(scale, dtype):
    matrix = torch.diag(torch.tensor([4.0, -2.0, 0.5, 1.5], dtype=torch.float64) * scale).to(dtype)
    entries = matrix.double().diagonal().abs()
    assert measured(matrix) == pytest.approx([entries.mean().item(), entries.max().item(), entries.min().item()])


def test_a_kernel_is_a_matrix_of_units_by_inputs_and_taps():
    kernel = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(kernel.reshape(6, 36).double())
    assert measured(kernel) == pytest.approx([values.mean().item(), values[0].item(), values[-1].item()])


def test_all_of_an_orthogonal_matrix_are_one():
    wide = torch.nn.init.orthogonal_(torch.empty(5, 8), generator=torch.Generator().manual_seed(0))
    assert measured(wide) == pytest.approx([1.0, 1.0, 1.0], rel=1e-5)


def test_a_quarter_circle_has_its_mean():
    """8 / 3 pi at 500 units, within 0.5 %, and the edge at 2 within 3 % (Tracy-Widom strays by n^(-2/3))."""
    square = torch.randn(500, 500, generator=torch.Generator().manual_seed(0)) / math.sqrt(500)
    mean, largest, _ = measured(square)
    assert mean == pytest.approx(8.0 / (3.0 * math.pi), rel=0.005)
    assert largest == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nothing_is_said_of_what_is_not_finite(bad):
    matrix = torch.eye(3)
    matrix[1, 2] = bad
    assert all(math.isnan(value) for value in measured(matrix))


def test_a_vector_has_none():
    leaf = STATISTICS["singular_value_mean"]
    assert not leaf.reduction.applies(View(torch.ones(3), Workspace()))
