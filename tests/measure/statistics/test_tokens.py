"""The residual of a sequence's tokens against its definition in float64."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS
from initprobe.measure.statistics.tokens import FEATURES, SAMPLES, TOKENS


def residual(tensor, **attributes):
    """The statistic, None where it does not apply."""
    attributes = {"batch": len(tensor), "on_stream": True, "unit_axis": -1} | attributes
    view, leaf = View(tensor, Workspace(), **attributes), STATISTICS["token_residual"]
    return leaf.value(leaf.reduction.run(view)) if leaf.reduction.applies(view) else None


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def defined(tensor):
    """Of each sample: what is left of the tokens when a rank-one matrix of one token is taken away, by least squares."""
    shares = []
    for sample in tensor.double():
        ones = torch.ones(len(sample), 1, dtype=torch.float64)
        best = torch.linalg.lstsq(ones, sample).solution
        shares.append((torch.linalg.norm(sample - ones @ best) / torch.linalg.norm(sample)) ** 2)
    return math.sqrt(sum(shares) / len(shares))


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-12, 1.0, 1e12, 1e30, 1e37])
def test_it_is_the_distance_from_the_nearest_matrix_of_one_token_at_every_scale(scale):
    tokens = draw(3, 7, 11) + 0.5
    assert residual(tokens * scale) == pytest.approx(defined(tokens), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_in_float64_too(scale):
    tokens = draw(3, 7, 11).double()
    assert residual(tokens * scale) == pytest.approx(defined(tokens), rel=1e-12)


def test_tokens_that_are_one_have_none_and_orthogonal_ones_all_but_their_mean():
    assert residual(draw(3, 1, 8).expand(3, 6, 8)) == pytest.approx(0.0, abs=1e-7)
    assert residual(torch.eye(6).repeat(2, 1, 1)) == pytest.approx(math.sqrt(1 - 1 / 6))


def test_small_differences_on_a_large_mean_are_not_lost():
    apart = 1e-5 * draw(2, 8, 64)
    assert residual(1.0 + apart) == pytest.approx(defined(1.0 + apart), rel=1e-6)


def test_a_long_sequence_of_wide_tokens_is_read_in_part():
    tokens = draw(2 * SAMPLES, 5 * TOKENS, 2 * FEATURES)
    assert residual(tokens) == pytest.approx(defined(tokens[:SAMPLES, ::5, :FEATURES]), rel=1e-9)


def test_positions_of_a_map_with_channels_last_are_tokens():
    images = draw(2, 3, 4, 8)
    assert residual(images) == pytest.approx(defined(images.flatten(1, 2)), rel=1e-9)


def test_a_sample_of_zeros_is_left_out_and_a_value_that_is_not_finite_is_not_hidden():
    tokens = draw(3, 5, 4)
    silent = torch.cat([tokens[:2], torch.zeros(1, 5, 4)])
    assert residual(silent) == pytest.approx(defined(tokens[:2]), rel=1e-6)
    assert math.isnan(residual(torch.zeros(3, 5, 4)))
    tokens[1, 2, 3] = math.inf
    assert math.isnan(residual(tokens))


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((6, 8), {}),
        ((6, 1, 8), {}),
        ((6, 5, 8), {"unit_axis": -2}),
        ((6, 5, 8), {"unit_axis": None}),
        ((6, 5, 8), {"batch": 30}),
        ((6, 5, 8), {"on_stream": False}),
    ],
    ids=["a matrix", "one token", "channels first", "no units", "no samples", "a branch's inside"],
)
def test_what_is_no_sequence_has_none(shape, attributes):
    assert residual(draw(*shape), **attributes) is None
