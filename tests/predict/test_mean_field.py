"""Fixed points, correlations and depth scales against tables of ten digits, closed forms and iterated maps."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.activations.callables import adopt
from initprobe.activations.moments import NotElementwiseError
from initprobe.predict.mean_field import c_map, chi, fixed_points, gap_map, q_map, q_slope, settled
from initprobe.records import ActivationUse

TANH = ActivationUse("tanh")
RELU = ActivationUse("relu")

# Schoenholz et al. 2017's setting, tanh with sigma_b² = 0.05: sigma_w² to q*, c*, chi_1, xi_q, xi_c.
TANH_POINTS = {
    1.0: (0.1935925202, 1, 0.7590316472, 1.7476, 3.6270),
    1.3: (0.3153164775, 1, 0.8801635099, 1.7852, 7.8341),
    1.5: (0.4180372005, 1, 0.9386362682, 1.6828, 15.7910),
    1.7: (0.5330756279, 1, 0.9867408090, 1.5583, 74.9183),
    2.0: (0.7217618727, 0.7440824195, 1.0476659996, 1.3880, 25.2134),
    2.5: (1.0639583774, 0.4468042323, 1.1335156987, 1.1799, 11.7956),
    3.0: (1.4280084622, 0.2993176418, 1.2089344241, 1.0415, 9.0515),
    4.0: (2.1954939280, 0.1650649620, 1.3424024144, 0.8733, 6.9803),
}
# Zero bias: activation, sigma_w² to q*, chi_1.
ZERO_BIAS = [
    ("tanh", 2.0, 0.61796477, 1.105529),
    ("tanh", 25 / 9, 1.17848049, 1.209831),
    ("sigmoid", 1.0, 0.264686875, 0.055721),
    ("sigmoid", 2.0, 0.555289591, 0.100977),
    ("softplus", 1.0, 0.85630516, 0.288722),
    ("softsign", 2.0, 0.0794785751, 1.042351),
    ("selu", 1.0, 1.0, 1.07157499246),
]
SEPARATRICES = [
    ("gelu", 2.1, 3.1054), ("gelu", 2.2, 1.7224), ("gelu", 2.5, 0.6781), ("gelu", 3.0, 0.2471), ("gelu", 3.5, 0.0855),
    ("silu", 2.1, 10.390), ("silu", 2.2, 5.525), ("silu", 2.5, 2.0136), ("silu", 3.0, 0.6820), ("silu", 3.5, 0.2252),
    ("mish", 2.1, 2.2468), ("mish", 2.2, 1.0665), ("mish", 2.5, 0.2220),
]  # fmt: skip


@pytest.mark.parametrize(("weight_variance", "expected"), TANH_POINTS.items())
def test_tanh(weight_variance, expected):
    (point,) = fixed_points(TANH, weight_variance, 0.05)
    assert (point.q, point.correlation, point.chi) == pytest.approx(expected[:3], abs=1e-9)
    assert (point.depth_q, point.depth_c) == pytest.approx(expected[3:], abs=6e-5)
    assert point.stability == "attracts"
    assert point.phase == ("ordered" if weight_variance < 1.76 else "chaotic")
    assert point.trainable_depth == 6 * point.depth_c


@pytest.mark.parametrize(("name", "weight_variance", "q", "chi_1"), ZERO_BIAS)
def test_fixed_points_without_a_bias(name, weight_variance, q, chi_1):
    point = fixed_points(ActivationUse(name), weight_variance)[-1]
    assert point.stability == "attracts"
    assert point.q == pytest.approx(q, rel=2e-9)
    assert point.chi == pytest.approx(chi_1, abs=1e-6)


def test_the_error_function():
    use = adopt("erf", math.erf)
    point = fixed_points(use, 1.0)[-1]
    assert (point.q, point.chi) == pytest.approx((0.141923765, 1.016903), abs=1e-6)


@pytest.mark.parametrize(("name", "weight_variance", "q"), SEPARATRICES)
def test_gelu_silu_and_mish_have_nothing_but_a_separatrix(name, weight_variance, q):
    zero, separatrix = fixed_points(ActivationUse(name), weight_variance)
    assert (zero.q, zero.stability) == (0.0, "attracts")
    assert (separatrix.q, separatrix.stability) == (pytest.approx(q, abs=6e-5 * max(q, 1)), "repels")
    assert separatrix.trainable_depth is None
    assert settled(ActivationUse(name), weight_variance, start=q * 1.1) is None
    assert settled(ActivationUse(name), weight_variance, start=q * 0.9).q == 0.0


def test_under_he_gelu_halves_its_signal():
    (zero,) = fixed_points(ActivationUse("gelu"), 2.0)
    assert (zero.q, zero.stability, zero.slope) == (0.0, "attracts", pytest.approx(0.5))


def test_a_touching_map_is_half_stable():
    points = fixed_points(ActivationUse("gelu"), 1.98305825744, 0.172922390756)
    assert points[-1].stability == "half-stable"
    assert points[-1].q == pytest.approx(3.56155281, abs=1e-6)


@pytest.mark.parametrize("name", ["tanh", "elu"])
def test_a_signal_that_creeps_to_zero(name):
    (point,) = fixed_points(ActivationUse(name), 1.0)
    assert (point.q, point.stability, point.phase) == (0.0, "attracts", "critical")
    assert point.slope == pytest.approx(1.0, abs=1e-12)


def test_a_rectifier_keeps_every_scale_or_none():
    (point,) = fixed_points(RELU, 2.0)
    assert (point.stability, point.phase, point.correlation) == ("neutral", "critical", 1.0)
    assert settled(RELU, 2.0, start=7.0).q == 7.0
    (biased,) = fixed_points(RELU, 1.5, 0.1)
    assert biased.q == pytest.approx(0.4, rel=1e-12)
    assert fixed_points(RELU, 2.0, 0.1) == ()
    assert settled(RELU, 2.0, 0.1) is None


def test_correlations_on_the_edge_of_the_rectifier():
    expected = {1: 0.318309886184, 2: 0.493731090200, 3: 0.604825720113, 5: 0.735946350628, 10: 0.871535516022}
    c = 0.0
    for layer in range(1, 11):
        c = c_map(RELU, c, 1.0, 2.0)
        if layer in expected:
            assert c == pytest.approx(expected[layer], abs=1e-11)


def test_the_gap_of_a_smooth_critical_network_closes_as_one_over_depth():
    # C''(1) = q* sigma_w² E f''² = 0.32408996, so that 1 - c is about 2 / (C'' l)
    gap, weight_variance, q = 1e-6, 1.7609546396, 0.5700478816
    after = gap_map(TANH, gap, q, weight_variance, 0.05)
    assert (gap - after) / gap**2 == pytest.approx(0.32408996 / 2, rel=1e-3)


def test_random_slopes_keep_identical_inputs_apart():
    (point,) = fixed_points(ActivationUse("rrelu"), 1.5, 0.1)
    assert point.chi < 1.0
    assert point.correlation < 1.0 - 1e-3
    assert c_map(ActivationUse("rrelu"), point.correlation, point.q, 1.5, 0.1) == pytest.approx(
        point.correlation, abs=1e-10
    )


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(["tanh", "relu", "softsign", "hardtanh"]),
    q=st.floats(0.01, 20.0),
    weight_variance=st.floats(0.1, 5.0),
    bias_variance=st.floats(0.0, 1.0),
    gap=st.floats(0.0, 1.0),
)
def test_the_maps(name, q, weight_variance, bias_variance, gap):
    use = ActivationUse(name)
    c = 1.0 - gap
    after = c_map(use, c, q, weight_variance, bias_variance)
    assert c_map(use, 1.0, q, weight_variance, bias_variance) == pytest.approx(1.0, rel=1e-12)
    assert after <= 1.0 + 1e-12
    assert 1.0 - gap_map(use, gap, q, weight_variance, bias_variance) == pytest.approx(after, abs=1e-11)
    assert c_map(use, c - 0.01, q, weight_variance, bias_variance) <= after + 1e-12
    assert q_map(use, 1.01 * q, weight_variance, bias_variance) >= q_map(use, q, weight_variance, bias_variance)


@settings(max_examples=20, deadline=None)
@given(weight_variance=st.floats(0.2, 6.0), bias_variance=st.floats(1e-3, 2.0))
def test_a_fixed_point_is_one(weight_variance, bias_variance):
    (point,) = fixed_points(TANH, weight_variance, bias_variance)
    q = point.q
    assert q_map(TANH, q, weight_variance, bias_variance) == pytest.approx(q, rel=1e-11)
    assert c_map(TANH, point.correlation, q, weight_variance, bias_variance) == pytest.approx(
        point.correlation, abs=1e-8
    )
    step = 1e-5 * q
    numeric = q_map(TANH, q + step, weight_variance) - q_map(TANH, q - step, weight_variance)
    assert q_slope(TANH, q, weight_variance) == pytest.approx(numeric / (2 * step), rel=1e-6)
    assert point.chi == chi(TANH, q, weight_variance)
    assert point.correlation_slope <= 1.0 + 1e-9


def test_no_maps_without_a_function_of_one_number():
    with pytest.raises(NotElementwiseError):
        fixed_points(ActivationUse("softmax"), 1.0)
