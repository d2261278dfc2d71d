import math

import pytest

from initprobe.check import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7041, "0.704"),
        (1.0, "1.00"),
        (12.34, "12.3"),
        (99.97, "100"),
        (0.99999, "1.00"),
        (3.39e-8, "3.4e-08"),
        (5e20, "5.0e+20"),
        (0, "0"),
        (-0.0, "0"),
    ],
)
def test_gains_have_three_digits(value, text):
    assert wording.gain(value) == text


def test_what_is_not_finite_is_written_out():
    assert wording.gain(math.inf) == "inf"
    assert wording.gain(math.nan) == "nan"


@pytest.mark.parametrize(("value", "text"), [(1.0, "1.00"), (0.0391, "0.039"), (1.41421, "1.41"), (3.3e-8, "3.3e-08")])
def test_sizes_are_shorter_where_they_are_small(value, text):
    assert wording.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-3, "1e-3"), (0.1, "0.1"), (1000.0, "1000"), (1e8, "1e8"), (2.5e-5, "2.5e-5")]
)
def test_limits_are_round(value, text):
    assert wording.limit(value) == text


@pytest.mark.parametrize(
    ("factor", "steps", "text"),
    [
        (1000, 49, "[0.87, 1.15]"),
        (10, 49, "[0.954, 1.048]"),
        (1000, 999, "[0.9931, 1.0069]"),
        (1000, 3, "[0.10, 10.00]"),
    ],
)
def test_the_allowed_gains_are_told_with_two_digits_of_their_distance_from_one(factor, steps, text):
    assert wording.allowed(factor, steps) == text


def test_counts_and_names():
    assert wording.count(1, "seed") == "1 seed"
    assert wording.count(12345, "layer") == "12,345 layers"
    assert wording.span(["a"]) == "a"
    assert wording.span(["a", "b", "c"]) == "a … c"
    assert wording.listing(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert wording.listing(["a", "b"]) == "a, b"
