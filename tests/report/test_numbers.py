"""Numbers read the same everywhere."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.records import Estimate
from initprobe.report.numbers import count, interval, number, plural, plus_minus, ranges


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1.00"),
        (0.7041, "0.704"),
        (12.345, "12.3"),
        (123.45, "123"),
        (9999.0, "9999"),
        (9999.9, "1.0e+04"),
        (0.0012345, "0.00123"),
        (0.00099, "9.9e-04"),
        (3.3e-8, "3.3e-08"),
        (-2.5, "-2.50"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_three_significant_digits(value, text):
    assert number(value) == text


@given(st.floats(1e-300, 1e300))
def test_a_number_is_near_what_it_shows(value):
    assert math.isclose(float(number(value)), value, rel_tol=0.06)


def test_intervals():
    estimate = Estimate(0.7041, 0.698, 0.7102, (0.7,))
    assert interval(estimate) == "0.704 [0.698, 0.710]"
    assert plus_minus(estimate) == "0.704 ±0.006"
    single = Estimate(1.0, 1.0, 1.0, (1.0,))
    assert (interval(single), plus_minus(single)) == ("1.000", "1.000")
    lost = Estimate(math.nan, math.nan, math.nan)
    assert (interval(lost), plus_minus(lost)) == ("nan", "nan")
    assert plus_minus(Estimate(3e-5, 2e-5, 4e-5)) == "3.0e-05 ±1e-05"
    assert plus_minus(Estimate(0.987, 0.9865, 0.9875)) == "0.987 ±0.0005"


@pytest.mark.parametrize(
    ("total", "text"),
    [(812, "812"), (1000, "1.0 k"), (3_490_570, "3.5 M"), (124_439_808, "124 M"), (10**12, "1.0 T")],
)
def test_counts(total, text):
    assert count(total) == text


def test_plurals():
    assert (plural(1, "error"), plural(0, "error"), plural(2, "error")) == ("1 error", "0 errors", "2 errors")


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ([0, 1, 2, 3, 7], "0–3,7"),
        ([3, 1, 2], "1–3"),
        ([0, 2, 4, 6], "0,2,…,6"),
        ([0, 2, 4], "0,2,4"),
        ([5], "5"),
        ([], ""),
    ],
)
def test_ranges(indices, text):
    assert ranges(indices) == text
