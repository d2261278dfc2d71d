import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initprobe.check.interval import estimate, student_t, t_interval

# Two-sided 95 %, 98.75 % and 99 % points as printed in tables (and by R's qt), ten digits.
TABLE = [
    (0.975, 1, 12.7062047362),
    (0.975, 2, 4.3026527297),
    (0.975, 3, 3.1824463053),
    (0.975, 4, 2.7764451052),
    (0.975, 7, 2.3646242516),
    (0.975, 15, 2.1314495456),
    (0.975, 31, 2.0395134464),
    (0.975, 120, 1.9799304051),
    (0.995, 4, 4.6040948713),
    (0.995, 10, 3.1692726726),
    (0.9995, 5, 6.8688266259),
]


@pytest.mark.parametrize(("probability", "freedom", "expected"), TABLE)
def test_the_t_quantile_agrees_with_the_printed_table(probability, freedom, expected):
    assert student_t(probability, freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.99375, 0.99999])
def test_the_t_quantile_agrees_with_its_closed_forms(probability):
    # Hill 1970: one degree of freedom is Cauchy, two and four have algebraic quantiles.
    assert student_t(probability, 1) == pytest.approx(math.tan(math.pi * (probability - 0.5)), rel=1e-8)
    alpha = 4 * probability * (1 - probability)
    assert student_t(probability, 2) == pytest.approx((2 * probability - 1) * math.sqrt(2 / alpha), rel=1e-8)
    root = math.cos(math.acos(math.sqrt(alpha)) / 3) / math.sqrt(alpha)
    assert student_t(probability, 4) == pytest.approx(2 * math.sqrt(root - 1), rel=1e-8)


def test_the_t_quantile_is_odd_and_tends_to_the_normal_one():
    assert student_t(0.025, 4) == pytest.approx(-student_t(0.975, 4), rel=1e-12)
    assert student_t(0.5, 3) == pytest.approx(0, abs=1e-12)
    assert student_t(0.975, 10**6) == pytest.approx(1.959963984540054 + 2.37e-6, rel=1e-7)


@pytest.mark.parametrize(("probability", "freedom"), [(0.0, 3), (1.0, 3), (1.5, 3), (0.975, 0)])
def test_the_t_quantile_rejects_what_has_none(probability, freedom):
    with pytest.raises(ValueError, match="no t quantile"):
        student_t(probability, freedom)


def test_an_estimate_is_the_mean_with_its_t_interval():
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.7764451052 * math.sqrt(2.5) / math.sqrt(5)
    assert (found.mean, found.low, found.high) == pytest.approx((3.0, 3.0 - half, 3.0 + half))
    assert found.per_seed == (1.0, 2.0, 3.0, 4.0, 5.0)


def test_an_estimate_of_one_value_is_that_value():
    found = estimate([0.7])
    assert (found.mean, found.low, found.high) == (0.7, 0.7, 0.7)


def test_an_estimate_leaves_out_what_is_not_finite_but_keeps_it_in_the_list():
    found = estimate([1.0, math.inf, 3.0])
    assert found.mean == 2.0
    assert found.per_seed == (1.0, math.inf, 3.0)
    nothing = estimate([math.nan, math.inf])
    assert math.isnan(nothing.mean)
    assert math.isnan(nothing.low)


def test_an_interval_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="needs a value"):
        t_interval([], 0.95)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.sampled_from([1e-300, 1e-150, 1.0, 1e150, 1e300]))
def test_an_interval_scales_with_its_values_over_the_whole_range(values, scale):
    plain, scaled = t_interval(values, 0.95), t_interval([value * scale for value in values], 0.95)
    size = max(abs(value) for value in values)
    if 0 < size < 1e-3:
        return  # products with 1e-300 would leave the normal numbers
    assert np.allclose(np.array(plain) * scale, scaled, rtol=1e-9, atol=1e-9 * size * scale)
    assert plain.low <= plain.mean + 1e-9 * size
    assert plain.mean - 1e-9 * size <= plain.high


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    draws = rng.normal(2.0, 1.0, (2000, 5))
    covered = [low <= 2.0 <= high for _, low, high in (t_interval(row, 0.95) for row in draws.tolist())]
    assert 0.935 < np.mean(covered) < 0.965
