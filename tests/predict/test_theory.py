"""The record that holds everything, for every activation."""

import math

import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.errors import UsageError
from initprobe.predict.theory import theory_of
from initprobe.records import ActivationUse


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_has_one_or_a_reason(name):
    theory = theory_of(ActivationUse(name), bias_variance=0.01)
    if ACTIVATIONS[name].value is None:
        assert "one number at a time" in theory.reason
        assert theory.moments is None
        return
    assert theory.moments.second > 0.0
    assert theory.gains.forward == pytest.approx(theory.moments.second**-0.5)
    assert theory.no_critical or theory.critical[0].stability != "repels"
    assert theory.settled is None or theory.settled in theory.fixed_points


def test_the_default_variance_keeps_one():
    theory = theory_of(ActivationUse("tanh"))
    assert theory.settled.q == pytest.approx(1.0)
    assert theory.weight_variance == pytest.approx(2.53617543)
    assert theory.warnings == ("the squared gradient is multiplied by 1.178 per layer: tenfold in RMS every 28 layers",)


def test_gelu_is_told_to_have_no_stable_point():
    theory = theory_of(ActivationUse("gelu"))
    assert theory.settled.stability == "repels"
    assert "q = 1 is a watershed: an error of q is multiplied by 1.144 per layer" in theory.warnings[0]
    assert "no second moment above zero is both kept and stable" in theory.warnings
    he = theory_of(ActivationUse("gelu"), 2.0)
    assert he.settled.q == 0.0
    assert "a signal vanishes: its second moment is multiplied by 0.5 per layer in the end" in he.warnings


def test_explosions_and_creeping():
    assert "a signal explodes: its second moment is multiplied by 1.5 per layer" in " ".join(
        theory_of(ActivationUse("relu"), 3.0).warnings
    )
    assert "a signal creeps to zero, ever more slowly" in theory_of(ActivationUse("tanh"), 1.0).warnings
    relu = theory_of(ActivationUse("relu"))
    assert (relu.warnings, relu.no_critical) == ((), "")
    assert "two copies of one input differ" in theory_of(ActivationUse("rrelu"), 1.0, 0.1).warnings[-1]


@pytest.mark.parametrize(("weight", "bias"), [(-1.0, 0.0), (math.inf, 0.0), (1.0, -0.1), (1.0, math.nan)])
def test_variances_are_finite_and_not_negative(weight, bias):
    with pytest.raises(UsageError, match="variance is"):
        theory_of(ActivationUse("tanh"), weight, bias)
