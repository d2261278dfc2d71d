"""Small laws: convolution, dropout, recurrence, standardized weights, spectra, the tangent kernel."""

import math

import numpy as np
import pytest

from initprobe.activations.callables import adopt
from initprobe.predict.convolution import coverage, diffused_share
from initprobe.predict.dropout import compensated_gain, dropout_correlation, dropout_q_map
from initprobe.predict.mean_field import fixed_points
from initprobe.predict.recurrent import chrono_bias, gate_memory, in_time
from initprobe.predict.spectrum import jacobian_mean, jacobian_variance, linear_largest, linear_moment
from initprobe.predict.standardized import standardized_gain, standardized_q_map
from initprobe.predict.tangent_kernel import condition_number, critical_ratio, kernel_ratio
from initprobe.records import ActivationUse

RELU, TANH = ActivationUse("relu"), ActivationUse("tanh")


@pytest.mark.parametrize(("padding", "stride", "dilation"), [(0, 1, 1), (1, 1, 1), (2, 2, 1), (2, 1, 2), (3, 3, 1)])
def test_coverage_counts_taps_inside(padding, stride, dilation):
    image = np.pad(np.ones(9), padding)
    starts = range(0, image.size - dilation * 2, stride)
    taps = [image[start + dilation * tap] for start in starts for tap in range(3)]
    one = coverage([9], [3], padding=[padding], stride=[stride], dilation=[dilation])
    assert one == pytest.approx(np.mean(taps))
    both = coverage([9, 9], [3, 1], padding=[padding, 0], stride=[stride, 1], dilation=[dilation, 1])
    assert both == pytest.approx(one)


def test_coverage_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="a kernel of 5 taps does not fit into 3 pixels"):
        coverage([3], [5], padding=[0])


def test_independent_taps_diffuse_a_pixel():
    assert diffused_share(3, 1) == pytest.approx(1 / 3)
    assert diffused_share(3, 2) == pytest.approx(3 / 9)
    assert diffused_share(3, 3) == pytest.approx(7 / 27)
    assert diffused_share(3, 300) == pytest.approx(1 / math.sqrt(2 * math.pi * 300 * 2 / 3), rel=1e-2)


def test_dropout_drives_copies_of_one_input_apart():
    keep = 0.9
    q = 1.0
    for _ in range(200):
        q = dropout_q_map(TANH, q, 1.5, 0.05, keep=keep)
    c = dropout_correlation(TANH, q, 1.5, 0.05, keep=keep)
    assert c < 0.95
    relu = dropout_correlation(RELU, 1.0, 1.8, keep=keep)
    root, angle = math.sqrt(1 - relu**2), math.acos(relu)
    assert keep * (root + (math.pi - angle) * relu) / math.pi == pytest.approx(relu, abs=1e-12)
    assert dropout_q_map(RELU, 1.0, 2.0 * compensated_gain(keep) ** 2, keep=keep) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="cannot be kept"):
        dropout_q_map(RELU, 1.0, 2.0, keep=0.0)


def test_recurrence():
    alone = in_time(TANH, 1.5, bias_variance=0.05)
    assert alone == fixed_points(TANH, 1.5, 0.05)[0]
    assert in_time(TANH, 1.5, input_variance=0.1, input_second=0.5) == alone
    assert in_time(RELU, 2.0, input_variance=0.1) is None
    assert gate_memory(0.0) == pytest.approx(1 / math.log(2))
    assert gate_memory(1.0) == pytest.approx(3.1922, abs=1e-3)
    assert gate_memory(chrono_bias(1000.0)) == pytest.approx(1000.0, rel=1e-3)
    with pytest.raises(ValueError, match="needs no gate"):
        chrono_bias(1.0)


def test_standardized_weights_do_not_see_means():
    assert standardized_gain(RELU) == pytest.approx(1.71285855044966, rel=1e-12)
    assert standardized_gain(TANH) == pytest.approx(1.59253741972283, rel=1e-12)
    assert standardized_q_map(RELU, 3.0, standardized_gain(RELU)) == pytest.approx(3.0)
    assert standardized_q_map(RELU, 3.0, 0.0, 0.2) == 0.2


def test_jacobians():
    assert jacobian_mean(1.1, 10) == pytest.approx(1.1**10)
    assert jacobian_variance(None, 1.0, 10, orthogonal=False) == 10.0
    assert jacobian_variance(None, 1.0, 10, orthogonal=True) == 0.0
    assert jacobian_variance(RELU, 1.0, 10, orthogonal=False) == pytest.approx(20.0)
    assert jacobian_variance(RELU, 1.0, 10, orthogonal=True) == pytest.approx(10.0)
    assert jacobian_variance(TANH, 0.01, 1, orthogonal=True) == pytest.approx(7.273237e-4, rel=1e-6)
    assert jacobian_variance(ActivationUse("hardtanh"), 0.2, 1, orthogonal=True) == pytest.approx(0.0260065, rel=1e-5)
    erf = adopt("erf", math.erf)
    assert jacobian_variance(erf, 0.1, 1, orthogonal=True) == pytest.approx(0.0434984, rel=1e-5)


def test_products_of_normal_matrices():
    assert [linear_moment(2, k) for k in range(4)] == [1, 1, 3, 12]
    assert [linear_moment(3, k) for k in (1, 2, 3, 4)] == [1, 4, 22, 140]
    assert [linear_moment(10, k) for k in (2, 3, 4)] == [11, 176, 3311]
    assert linear_largest(3) == pytest.approx(9.4814815)
    assert linear_largest(10) == pytest.approx(28.531167)


def test_the_tangent_kernel_follows_the_closed_form():
    depth, own, shared, c = 30, 1.0, 0.0, 0.0
    for _ in range(depth):
        slope = (math.pi - math.acos(c)) / math.pi
        c = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
        own, shared = 1.0 + own, c + slope * shared
    assert kernel_ratio(RELU, 1.0, 2.0, depth=depth) == pytest.approx(shared / own, rel=1e-9)


def test_limits_of_the_tangent_kernel():
    assert critical_ratio(RELU, 1.0) == pytest.approx(1 / 4, abs=1e-4)
    assert critical_ratio(TANH, 0.5700478816) == pytest.approx(1 / 3, abs=1e-4)
    assert condition_number(1 / 4, 10) == pytest.approx((10 + 3) / 3)
    assert condition_number(1 / 3, 10) == pytest.approx((10 + 2) / 2)
    assert condition_number(1.0, 10) == math.inf
    far = [abs(kernel_ratio(RELU, 1.0, 2.0, depth=depth) - 1 / 4) for depth in (50, 200)]
    assert far[0] < 0.05
    assert far[1] < far[0] / 2
