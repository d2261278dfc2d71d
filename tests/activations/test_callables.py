"""Activations made of functions: kinks are found, slopes agree with the written ones, and what is no activation is told."""

import math

import numpy as np
import pytest

from initprobe.activations import moments
from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.callables import adopt
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

ELEMENTWISE = sorted(name for name, leaf in ACTIVATIONS.items() if leaf.value is not None)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_copy_has_the_kinks_and_the_slopes_of_the_original(name):
    leaf = ACTIVATIONS[name]
    copy = adopt(f"copy of {name}", lambda z: leaf.value(z, **leaf.options))
    made = ACTIVATIONS.find(copy.name)
    if name != "softplus":  # its formula changes at 20, where both agree to nine digits
        assert made.kinks() == pytest.approx(leaf.kinks(**leaf.options), abs=1e-6)
    z = np.random.default_rng(0).normal(0.0, 3.0, 500)
    assert made.derivative(z) == pytest.approx(leaf.derivative(z, **leaf.options), abs=1e-9)
    assert moments.mean(copy) == pytest.approx(moments.mean(ActivationUse(name)), abs=1e-10)


@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        (lambda z: np.maximum(z - 0.3, 0.0) ** 2, (0.3,)),
        (lambda z: np.where(z > math.pi, 2.0, np.tanh(z)), (math.pi,)),
        (lambda z: np.tanh(10.0 * z), ()),
        (lambda z: np.abs(np.abs(z) - 1.0), (-1.0, 0.0, 1.0)),
    ],
)
def test_kinks(function, kinks):
    assert ACTIVATIONS.find(adopt("mine", function).name).kinks() == pytest.approx(kinks, abs=1e-9)


def test_a_function_of_one_number_will_do():
    use = adopt("erf", math.erf)
    assert moments.second_moment(use) == pytest.approx(2 / math.pi * math.asin(2 / 3), rel=1e-12)


def test_a_given_derivative_is_taken():
    use = adopt("straight through", np.sign, np.ones_like)
    assert moments.derivative_second_moment(use) == pytest.approx(1.0, rel=1e-12)
    assert moments.second_moment(use) == pytest.approx(1.0, rel=1e-12)


def test_it_stands_in_no_list_and_takes_nobodys_name():
    use = adopt("relu", np.abs)
    assert use.name == "relu#2"
    assert use.name not in list(ACTIVATIONS)
    assert moments.second_moment(use) == pytest.approx(1.0, rel=1e-12)
    assert moments.second_moment(ActivationUse("relu")) == pytest.approx(0.5, rel=1e-12)


def test_what_is_no_activation_is_told():
    noise = np.random.default_rng(0)
    with pytest.raises(UsageError, match="one number at a time"):
        adopt("norm", lambda z: z / np.linalg.norm(z))
    with pytest.raises(UsageError, match="one number at a time"):
        adopt("sum", np.sum)
    with pytest.raises(UsageError, match=r"log is not finite everywhere: f\(-24\) is nan"):
        adopt("log", np.log)
    with pytest.raises(UsageError, match="cannot be called with an array of numbers: KeyError"):
        adopt("broken", lambda z: {}[str(z)])
    with pytest.raises(UsageError, match=r"one number at a time|asked twice"):
        adopt("noise", lambda z: z + noise.normal(size=z.shape))
