import numpy as np
import pytest

from initprobe.check.family import beyond
from initprobe.check.looks import LookPlan


def test_all_layers_together_are_wrongly_told_once_in_twenty():
    random = np.random.default_rng(0)
    told = [beyond(random.normal(1.0, 0.3, (5, 100)), 1.0, level=LookPlan().one_of(100)).any() for _ in range(2000)]
    assert 0.03 < np.mean(told) < 0.07


def test_a_layer_that_is_far_beyond_is_told_and_its_neighbours_are_not():
    random = np.random.default_rng(1)
    values = random.normal(0.0, 0.1, (5, 50))
    values[:, 7] += 5.0
    assert beyond(values, 1.0, level=0.999).nonzero()[0].tolist() == [7]
    assert beyond(-values, -1.0, "below", level=0.999).nonzero()[0].tolist() == [7]


def test_a_single_seed_stands_for_itself():
    assert beyond(np.array([[0.9, 1.1]]), 1.0, level=0.95).tolist() == [False, True]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_told(value):
    assert not beyond(np.array([[2.0], [value]]), 1.0, level=0.5).any()


def test_no_layers_and_no_seeds_tell_nothing():
    assert beyond(np.empty((5, 0)), 1.0, level=0.95).tolist() == []
    assert beyond(np.empty((0, 2)), 1.0, level=0.95).tolist() == [False, False]


def test_fresh_seeds_repeat_what_is_there_and_one_in_ten_of_what_is_not():
    """Of 100 layers one lies so far beyond that 5 seeds find it half of the time."""
    random = np.random.default_rng(2)
    first, second = LookPlan().one_of(100), LookPlan.second(5).one_of(100)
    there = [random.normal(4.0, 1.0, (2, 5, 1)) for _ in range(2000)]
    found = [draws for draws in there if beyond(draws[0], 0.0, level=first).any()]
    assert 0.4 < len(found) / len(there) < 0.8
    assert np.mean([beyond(draws[1], 0.0, level=second).any() for draws in found]) > 0.98
    assert np.mean([beyond(draws[1], 0.0, level=first).any() for draws in found]) < 0.8, "what it was before"
    at_the_limit = [beyond(random.normal(0.0, 1.0, (5, 1)), 0.0, level=second).any() for _ in range(4000)]
    assert 0.08 < np.mean(at_the_limit) < 0.12
