"""Gradients back through time: against the sum over all ways, and against a network of many units."""

import math

import numpy as np
import pytest

from initprobe.predict.cells import Branch, Factor, Slopes
from initprobe.predict.ensemble import Matrix
from initprobe.predict.through_time import Adjoint, arrived, from_outside, gathered, hand_back

UNIT = (1, 1)


def constant(value, spread=0.0):
    return Factor(np.full(UNIT, value), np.full(UNIT, value**2 + spread))


def linear(keep, second):
    """A step that keeps a part, and sends the rest through one random matrix."""
    matrix = Matrix(np.full(UNIT, second), np.full(UNIT, second))
    one = constant(1.0)
    return Slopes(constant(keep), one, (Branch(matrix, matrix, one, one, np.zeros((0, *UNIT)), np.zeros(UNIT)),))


def back(slopes, steps, *, every=False):
    before = None
    for step in range(steps):
        here = arrived(UNIT, before, before)
        here = from_outside(here, 1.0 if every or step == 0 else 0.0)
        before = hand_back(here, gathered(here, slopes.emit), slopes).before
    assert isinstance(before, Adjoint)
    return before


@pytest.mark.parametrize("steps", [1, 2, 5, 40, 100])
def test_ways_through_as_many_matrices_add_up(steps):
    keep, through = 0.5, 0.02
    ways = sum(math.comb(steps, j) ** 2 * keep ** (2 * (steps - j)) * through**j for j in range(steps + 1))
    assert back(linear(keep, through), steps).second == pytest.approx(ways, rel=1e-10)


def test_1e_40_comes_out_as_1e_40():
    assert back(linear(0.1, 0.0), 40).second == pytest.approx(1e-80, rel=1e-9)


def test_a_gate_that_is_wide_open_keeps_all():
    assert back(linear(1.0, 0.0), 100).second == pytest.approx(1.0, rel=1e-12)


def test_without_a_way_past_the_matrices_steps_multiply():
    assert back(linear(0.0, 0.81), 30).second == pytest.approx(0.81**30, rel=1e-12)


def test_a_loss_at_every_step_is_the_sum_of_losses_at_each():
    slopes = linear(0.6, 0.1)
    assert back(slopes, 12, every=True).second == pytest.approx(
        sum(back(slopes, steps).second for steps in range(1, 13)), rel=1e-9
    )


def test_a_network_of_many_units_does_the_same():
    rng = np.random.default_rng(0)
    units, keep, through = 600, 0.5, 0.04
    jacobian = keep * np.eye(units) + rng.standard_normal((units, units)) * math.sqrt(through / units)
    gradient = rng.standard_normal((units, 8))
    for _ in range(12):
        gradient = jacobian.T @ gradient
    # 600 units leave the log of the second moment a spread of 0.6 · 12² / 600 (measured), an eighth of it by keeping most.
    assert back(linear(keep, through), 12).second == pytest.approx((gradient**2).mean(), rel=0.2)
