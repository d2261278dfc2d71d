"""How unevenly a softmax of normal scores mixes, against what is known of it."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest

from initprobe.predict.softmax import concentration


@pytest.mark.parametrize("variance", [0.0, 1e-6, 0.5, 4.0, 25.0])
def test_one_key_has_all_the_weight(variance):
    assert astuple(concentration(1.0, variance)) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("count", [1.0, 1.3, 2.0, 7.5, 64.0, 1e5])
def test_equal_scores_mix_evenly(count):
    assert astuple(concentration(count, 0.0)) == pytest.approx((1.0, 1.0, 1.0), abs=1e-6)


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0, 9.0])
def test_two_keys_are_a_sigmoid_of_their_difference(variance):
    """Σ a² = 1 - 2 p (1 - p) with p = sigmoid(√(2 s) z)."""
    nodes = np.linspace(-10.0, 10.0, 2001)
    weights = np.exp(-0.5 * nodes**2)
    p = 1.0 / (1.0 + np.exp(-math.sqrt(2.0 * variance) * nodes))
    exact = 2.0 * float((weights * (1.0 - 2.0 * p * (1.0 - p))).sum() / weights.sum())
    assert concentration(2.0, variance).square == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("variance", [0.25, 1.0, 2.0])
def test_many_keys_reach_the_log_normal_mean(variance):
    """e^s, up to a relative (2 e^2s - 3 e^s + 1) / n of the expansion in 1 / n."""
    count = 1e6
    slack = (2.0 * math.exp(2.0 * variance) + 3.0 * math.exp(variance)) / count
    assert concentration(count, variance).square == pytest.approx(math.exp(variance), rel=2.0 * slack)


@pytest.mark.parametrize(("count", "variance"), [(3, 1.0), (16, 1.0), (64, 2.0), (64, 4.0), (256, 1.0)])
def test_it_is_what_draws_come_to(count, variance):
    """Four standard errors of the draws."""
    scores = math.sqrt(variance) * np.random.default_rng(0).standard_normal((2, 20_000, count))
    a, b = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    square, even = (a**2).sum(1), (1.0 - 1.0 / count) / count
    drawn = (
        square * count,
        (a**2 * (1.0 - 2.0 * a + square[:, None])).sum(1) / even,
        (a * b * (1.0 - a - b + (a * b).sum(1, keepdims=True))).sum(1) / even,
    )
    for number, values in zip(astuple(concentration(float(count), variance)), drawn, strict=True):
        assert number == pytest.approx(values.mean(), abs=4.0 * values.std() / math.sqrt(len(values)))


@pytest.mark.parametrize("count", [4.0, 64.0, 1024.0])
def test_it_grows_with_the_scores_and_ends_at_all_the_weight(count):
    found = [concentration(count, variance).square for variance in (0.0, 0.5, 2.0, 8.0, 64.0, 4000.0)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(count, rel=0.1)


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0])
def test_an_average_number_of_keys_lies_between_whole_ones(variance):
    """As a causal mask has it: its first query sees one key, the next one two. One key alone has nothing to be apart from."""
    between, two = concentration(1.4, variance), concentration(2.0, variance)
    assert 1.0 < between.square < two.square
    assert 0.0 < between.apart < two.apart < 1.0
    assert 0.0 < between.cross < two.cross < 1.0
