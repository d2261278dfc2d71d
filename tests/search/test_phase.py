"""Networks do what the phase diagram says of them."""

import numpy as np
import pytest

from initprobe.activations.callables import adopt
from initprobe.records import ActivationUse
from initprobe.search.phase import measure_point

MINE = adopt("mine", lambda z: np.arctan(z) + 0.1 * z)


@pytest.mark.parametrize(
    ("use", "weight", "bias"),
    [
        (ActivationUse("tanh"), 1.0, 0.05),
        (ActivationUse("tanh"), 3.0, 0.05),
        (ActivationUse("sine"), 1.5, 0.1),
        (ActivationUse("leaky_relu", (("negative_slope", 0.2),)), 1.5, 0.1),
        (MINE, 2.5, 0.05),
    ],
    ids=str,
)
def test_a_point_is_what_theory_expects(use, weight, bias):
    point = measure_point(use, weight, bias)
    # 11 layers of 256 units and 3 draws: the mean log strays by √(3 · 12 / 256) / 11 / √3, about 2 %
    assert point.measured == pytest.approx(point.expected, rel=0.06)
    assert point.low < point.measured < point.high


def test_a_signal_that_explodes_has_a_gradient_all_the_same():
    point = measure_point(ActivationUse("relu"), 3.0, 0.1)
    assert point.expected is None
    assert point.measured == pytest.approx(1.5, rel=0.08)


def test_no_gradient_no_number():
    assert measure_point(ActivationUse("tanh"), 0.0, 0.1).measured is None
