import numpy as np
import pytest

from initprobe.check.family import beyond


def test_all_layers_together_are_wrongly_told_once_in_twenty():
    random = np.random.default_rng(0)
    told = [beyond(random.normal(1.0, 0.3, (5, 100)), 1.0).any() for _ in range(2000)]
    assert 0.03 < np.mean(told) < 0.07


def test_a_layer_that_is_far_beyond_is_told_and_its_neighbours_are_not():
    random = np.random.default_rng(1)
    values = random.normal(0.0, 0.1, (5, 50))
    values[:, 7] += 5.0
    assert beyond(values, 1.0).nonzero()[0].tolist() == [7]
    assert beyond(-values, -1.0, "below").nonzero()[0].tolist() == [7]


def test_a_single_seed_stands_for_itself():
    assert beyond(np.array([[0.9, 1.1]]), 1.0).tolist() == [False, True]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_told(value):
    assert not beyond(np.array([[2.0], [value]]), 1.0).any()


def test_no_layers_and_no_seeds_tell_nothing():
    assert beyond(np.empty((5, 0)), 1.0).tolist() == []
    assert beyond(np.empty((0, 2)), 1.0).tolist() == [False, False]
