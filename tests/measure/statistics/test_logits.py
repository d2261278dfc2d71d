"""Entropy and spread of a softmax against scipy-free definitions in float64."""

from __future__ import annotations

import math

import pytest
import torch

from initprobe.measure.moments import Workspace
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import STATISTICS


def measured(logits, axis=-1):
    leaf = STATISTICS["class_entropy"]
    assert STATISTICS["class_spread"].reduction is leaf.reduction
    view = View(logits, Workspace(), unit_axis=axis)
    if not leaf.reduction.applies(view):
        return None
    numbers = leaf.reduction.run(view)
    return leaf.value(numbers), STATISTICS["class_spread"].value(numbers)


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 10.0])
def test_they_are_those_of_the_definition(scale):
    logits = draw(50, 7) * scale
    entropies, spreads = [], []
    for row in logits.double().tolist():
        weights = [math.exp(one - max(row)) for one in row]
        shares = [one / sum(weights) for one in weights]
        entropies.append(-sum(share * math.log(share) for share in shares if share > 0))
        mean = sum(row) / 7
        spreads.append(math.sqrt(sum((one - mean) ** 2 for one in row) / 7))
    entropy, spread = measured(logits)
    assert entropy == pytest.approx(sum(entropies) / 50 / math.log(7), rel=1e-9)
    assert spread == pytest.approx(sum(spreads) / 50, rel=1e-9)


def test_log_probabilities_are_logits():
    logits = draw(20, 9).double()
    assert measured(logits.log_softmax(-1)) == pytest.approx(measured(logits), rel=1e-9)


def test_gaussian_logits_leave_what_the_limits_of_the_rules_say():
    assert measured(3.0 * draw(20_000, 10))[0] == pytest.approx(0.41, abs=0.01)
    assert measured(math.sqrt(2) * draw(20_000, 10))[0] == pytest.approx(0.72, abs=0.01)


def test_equal_logits_know_nothing_and_huge_ones_everything():
    assert measured(torch.full((4, 10), 3.0)) == (pytest.approx(1.0), 0.0)
    entropy, spread = measured(torch.eye(6) * 1e30)
    assert entropy == pytest.approx(0.0, abs=1e-12)
    assert spread == pytest.approx(1e30 * math.sqrt(5) / 6)


def test_classes_may_lie_on_any_axis_and_a_single_one_is_none():
    logits = draw(5, 4, 3)
    assert measured(logits, axis=-2) == pytest.approx(measured(logits.transpose(1, 2)), rel=1e-9)
    assert measured(draw(5, 1)) is None
