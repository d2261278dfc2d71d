"""Fans, gains, and what is said where there is none."""

import math

import pytest

from initprobe.init.fans import UndrawableError, fan, input_gain, scaled_std
from initprobe.records import ActivationUse, Weight

TANH, GELU = ActivationUse("tanh"), ActivationUse("gelu")
WEIGHT = Weight("w", "", "Linear", "linear", (30, 10), 10.0, 30.0, 0, TANH, GELU)
PLAIN = Weight("w", "", "Linear", "linear", (30, 10), 10.0, 30.0, 0)
TANH_F2, GELU_DF2 = 0.394294490397841, 0.455850865648888


def test_the_three_fans():
    assert [fan(WEIGHT, mode) for mode in ("fan_in", "fan_out", "fan_avg")] == [10.0, 30.0, 20.0]


def test_a_number_is_the_gain_whatever_stands_beside_the_weight():
    assert scaled_std(WEIGHT, "fan_in", 2.0) == pytest.approx(2 / math.sqrt(10))
    assert scaled_std(WEIGHT, "fan_avg", 2.0) == pytest.approx(2 / math.sqrt(20))


def test_auto_forward_reads_the_activation_before_and_backward_the_one_behind():
    assert scaled_std(WEIGHT, "fan_in", "auto") == pytest.approx((10 * TANH_F2) ** -0.5, rel=1e-12)
    assert scaled_std(WEIGHT, "fan_out", "auto") == pytest.approx((30 * GELU_DF2) ** -0.5, rel=1e-11)
    assert scaled_std(WEIGHT, "fan_avg", "auto") == pytest.approx(
        (2 / (10 * TANH_F2 + 30 * GELU_DF2)) ** 0.5, rel=1e-11
    )
    assert input_gain(WEIGHT) == pytest.approx(TANH_F2**-0.5, rel=1e-12)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_auto_is_one_where_no_function_of_one_number_stands(mode):
    softmax = ActivationUse("softmax")
    between = Weight("w", "", "Linear", "linear", (30, 10), 10.0, 30.0, 0, softmax, softmax)
    assert scaled_std(PLAIN, mode, "auto") == scaled_std(between, mode, "auto") == scaled_std(PLAIN, mode, 1.0)


def test_fan_avg_with_a_relu_on_both_sides_is_the_relu_gain():
    relu = ActivationUse("relu")
    between = Weight("w", "", "Linear", "linear", (30, 10), 10.0, 30.0, 0, relu, relu)
    assert scaled_std(between, "fan_avg", "auto") == pytest.approx(math.sqrt(2 / 20))


def test_reasons():
    blind = Weight("w", "", "Model", "other", (3, 3), fan_out=3.0)
    with pytest.raises(UndrawableError, match="no known fan_in"):
        fan(blind, "fan_in")
    with pytest.raises(UndrawableError, match="no known fan_in"):
        scaled_std(blind, "fan_avg", "auto")
    with pytest.raises(UndrawableError, match="its fan_in is 0"):
        fan(Weight("w", "", "Linear", "linear", (3, 0), 0.0, 3.0), "fan_in")
    mute = Weight("w", "", "Linear", "linear", (3, 3), 3.0, 3.0, 0, ActivationUse("hardshrink", (("lambd", 50.0),)))
    with pytest.raises(UndrawableError, match="lets no signal pass"):
        scaled_std(mute, "fan_in", "auto")
    with pytest.raises(UndrawableError, match="unknown activation"):
        input_gain(Weight("w", "", "Linear", "linear", (3, 3), 3.0, 3.0, 0, ActivationUse("nothing_known")))
