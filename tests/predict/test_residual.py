"""Growth laws of residual streams."""

import math

import pytest

from initprobe.predict.residual import (
    branch_share,
    exponential_growth,
    linear_growth,
    mean_field_stream,
    normalized_gradient,
    pre_norm_bounds,
    pre_norm_gradient,
)
from initprobe.records import ActivationUse


def test_a_branch_under_he_doubles_the_stream():
    assert exponential_growth(10) == 1024.0
    assert exponential_growth(100, scale=0.1) == pytest.approx(math.e, rel=6e-3)
    assert exponential_growth(100, scale=0.0) == 1.0
    assert exponential_growth(1, 1 / 18) == pytest.approx(19 / 18)


def test_normalized_branches_grow_linearly():
    # De & Smith 2020, figure 2: measured 101.2 behind 100 blocks, and 1 + 100 (1 - 1/π) per channel
    assert linear_growth(100) == 101.0
    assert linear_growth(100, 1 - 1 / math.pi) == pytest.approx(69.17, abs=0.01)
    assert branch_share(9) == pytest.approx(0.1)
    assert math.fsum(linear_growth(k) - linear_growth(k - 1) for k in range(1, 11)) == pytest.approx(10.0)


def test_gradients_of_normalized_branches_are_polynomial():
    assert normalized_gradient(100) == pytest.approx(linear_growth(100), rel=1e-12)  # the product telescopes
    relu = math.pi / (math.pi - 1)
    doubling = normalized_gradient(4000, branch_rate=relu) / normalized_gradient(2000, branch_rate=relu)
    assert math.log2(doubling) == pytest.approx(relu, rel=1e-3)


def test_relu_streams_are_exponential_both_ways():
    stream = mean_field_stream(ActivationUse("relu"), 12, weight_variance=2.0, branch_variance=0.5)
    assert stream.second == pytest.approx(1.5**12, rel=1e-12)
    assert stream.gradient == pytest.approx(1.5**12, rel=1e-12)


def test_tanh_streams_are_linear_forward_and_subexponential_back():
    # Yang & Schoenholz 2017: p ~ l, and ln of the gradient ~ √l, as E f'² ~ (4/3) / √(2 π q)
    use, forward, backward = ActivationUse("tanh"), [], []
    for blocks in (500, 2000):
        stream = mean_field_stream(use, blocks, weight_variance=1.0, branch_variance=1.0)
        forward.append(stream.second)
        backward.append(math.log(stream.gradient))
    assert forward[1] / forward[0] == pytest.approx(4.0, rel=0.1)
    assert backward[1] / backward[0] == pytest.approx(2.0, rel=0.1)
    assert backward[1] - backward[0] == pytest.approx(
        8 / (3 * math.sqrt(2 * math.pi)) * (math.sqrt(2000) - math.sqrt(500)), rel=0.1
    )


def test_transformers():
    for block, measured in {1: 1.54, 12: 13.8, 23: 32.0}.items():
        low, high = pre_norm_bounds(block)
        assert low <= measured <= high
    assert pre_norm_gradient(400) / pre_norm_gradient(100) == pytest.approx(0.5, rel=0.01)
