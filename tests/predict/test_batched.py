"""Expectations over many units against the adaptive integrals of one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.activations.moments import derivative_moments_around, moments_around
from initprobe.predict.batched import bent
from initprobe.predict.moments import NoPredictionError
from initprobe.predict.pairs import product
from initprobe.records import ActivationUse

NAMES = st.sampled_from(["sigmoid", "tanh", "relu"])


@settings(max_examples=40, deadline=None)
@given(NAMES, st.floats(-6.0, 6.0), st.floats(0.0, 30.0))
def test_they_are_those_of_the_adaptive_rule(name, centre, variance):
    found = bent(name, np.array([[centre]]), np.array([[variance]]))
    use = ActivationUse(name)
    mean, second = moments_around(use, centre, variance)
    slope, slope_second = derivative_moments_around(use, centre, variance)
    expected = [mean, second, slope, slope_second]
    assert [float(part[0, 0]) for part in (found.mean, found.second, found.slope, found.slope_second)] == pytest.approx(
        expected, rel=2e-5, abs=2e-6
    )


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_echo_is_near_to_the_integral_over_pairs(name, correlation):
    found = bent(name, np.zeros((1, 1)), np.full((1, 1), 0.7))
    exact = product(ActivationUse(name), 0.7, correlation)
    assert float(found.echo(np.full((1, 1), 0.7 * correlation))[0, 0]) == pytest.approx(exact, rel=0.02)


def test_gates_that_are_driven_too_far_have_no_grid():
    with pytest.raises(NoPredictionError, match="shut or wide open"):
        bent("sigmoid", np.zeros((1, 1)), np.full((1, 1), 1e8))
