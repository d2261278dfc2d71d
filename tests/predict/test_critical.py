"""Critical lines against a table of ten digits and against parametric forms."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.activations.callables import adopt
from initprobe.predict.critical import critical_at, critical_points, half_stable_point, why_not_critical
from initprobe.predict.mean_field import fixed_points
from initprobe.records import ActivationUse

LINES = {
    "tanh": {0.0001: (1.086026292, 0.0457090787), 0.01: (1.42420529, 0.2733009135), 0.04: (1.700796372, 0.5120785042),
             0.05: (1.76095464, 0.5700478816), 0.1: (1.986072641, 0.8057991819), 0.3: (2.50512719, 1.461169447),
             1.0: (3.443210912, 3.036396395)},
    "hardtanh": {0.0001: (1.001211097, 0.0954601664), 0.01: (1.052061209, 0.2591462203),
                 0.04: (1.141924861, 0.4232866419), 0.05: (1.16554469, 0.4638639694), 0.1: (1.263405932, 0.6321554645),
                 0.3: (1.527590159, None), 1.0: (2.072708605, None)},
    "softsign": {0.0001: (1.346665058, None), 0.01: (2.288769798, None), 0.04: (2.99161516, None),
                 0.05: (3.141247236, None), 0.1: (3.694134488, None), 0.3: (4.938156228, None),
                 1.0: (7.115141889, None)},
    "sigmoid": {0.0: (103.0075539, 45.6242778), 0.04: (103.1043, None), 0.5: (104.2033, None)},
    "elu": {0.04: (1.511058326, 1.10693), 0.1: (1.606743558, None)},
    "selu": {0.04: (0.878860467, 0.71704911), 0.1: (0.9803272864, None)},
    "silu": {0.04: (2.820826398, 0.68945), 0.5: (1.997468389, 12.105)},
    "gelu": {0.04: (2.393238302, 0.57564), 0.1: (2.076676194, None)},
    "mish": {0.04: (2.141654315, None), 0.1: (2.00685457, None)},
}  # fmt: skip
HALF_STABLE = {
    "gelu": (1.98305825744, 0.172922390756, 3.56155281),
    "silu": (1.98800467827, 0.555143170722, 14.320173618),
    "mish": (2.01352406972, 0.0945217873707, 1.67016913),
}


@pytest.mark.parametrize("name", LINES)
def test_the_table(name):
    for bias_variance, (weight_variance, q) in LINES[name].items():
        point = critical_points(ActivationUse(name), bias_variance)[0]
        digits = 1e-9 if weight_variance < 100 or bias_variance == 0.0 else 1e-6
        assert point.weight_variance == pytest.approx(weight_variance, rel=digits)
        assert point.bias_variance == pytest.approx(bias_variance, abs=1e-12)
        assert q is None or point.q == pytest.approx(q, rel=5e-5)


@settings(max_examples=15, deadline=None)
@given(q=st.floats(1e-3, 30.0))
def test_the_sine_and_the_error_function_are_parametric(q):
    sine = critical_at(ActivationUse("sine"), q)
    assert (sine.weight_variance, sine.bias_variance) == pytest.approx(
        (1 + math.tanh(q), q - math.tanh(q)), rel=1e-9, abs=1e-10
    )
    erf = critical_at(ERF, q)
    weight_variance = math.pi / 4 * math.sqrt(1 + 4 * q)
    bias_variance = q - weight_variance * 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
    assert (erf.weight_variance, erf.bias_variance) == pytest.approx(
        (weight_variance, bias_variance), rel=1e-8, abs=1e-9
    )


ERF = adopt("erf", math.erf)


@pytest.mark.parametrize(
    ("name", "weight_variance"), [("tanh", 1.0), ("hardtanh", 1.0), ("softsign", 1.0), ("sine", 1.0)]
)
def test_without_a_bias_saturating_activations_are_critical_where_the_signal_vanishes(name, weight_variance):
    point = critical_points(ActivationUse(name))[0]
    assert (point.q, point.stability) == (0.0, "attracts")
    assert point.weight_variance == pytest.approx(weight_variance, abs=1e-12)
    assert critical_points(ERF)[0].weight_variance == pytest.approx(math.pi / 4, rel=1e-9)


@pytest.mark.parametrize(("name", "expected"), HALF_STABLE.items())
def test_half_stable_points(name, expected):
    point = half_stable_point(ActivationUse(name))
    assert (point.weight_variance, point.bias_variance, point.q) == pytest.approx(expected, rel=3e-9)
    assert (point.slope, point.stability) == (pytest.approx(1.0, abs=1e-9), "half-stable")


def test_where_there_is_none_the_reason_is_told():
    assert half_stable_point(ActivationUse("tanh")) is None
    assert half_stable_point(ActivationUse("relu")) is None
    assert why_not_critical(ActivationUse("tanh"), 0.05) == ""
    assert "there a signal grows away from zero" in why_not_critical(ActivationUse("gelu"))
    assert "multiplied by 1.095 per layer" in why_not_critical(ActivationUse("gelu"), 0.04)
    assert "no fixed point of the second moment" in why_not_critical(ActivationUse("softplus"))
    assert "every bias adds" in why_not_critical(ActivationUse("relu"), 0.1)
    assert "asks for a bias variance of" in why_not_critical(ActivationUse("softshrink"))
    assert "no fixed point" in why_not_critical(ActivationUse("tanhshrink"))


def test_a_rectifier_is_critical_at_two_and_nowhere_else():
    (point,) = critical_points(ActivationUse("relu"))
    assert (point.weight_variance, point.stability) == (pytest.approx(2.0, rel=1e-14), "neutral")
    assert critical_points(ActivationUse("relu"), 0.01) == ()


def test_at_a_critical_point_gradients_keep_their_size():
    point = critical_points(ActivationUse("tanh"), 0.2)[0]
    (found,) = fixed_points(ActivationUse("tanh"), point.weight_variance, 0.2)
    assert (found.q, found.phase) == (pytest.approx(point.q, rel=1e-9), "critical")
    assert found.depth_c == math.inf
