"""Nine characters on a common scale."""

from __future__ import annotations

import math

import pytest

from initprobe.report.sparkline import ASCII_BARS, BARS, Scale, sparkline


def test_a_scale_holds_whole_decades():
    assert Scale.over([1.0, 3.3e-8]) == Scale(-8, 0)


@pytest.mark.parametrize(
    ("values", "scale"),
    [([0.9, 1.1], Scale(-1, 1)), ([1.0], Scale(-1, 1)), ([5.0, 6.0], Scale(0, 2)), ([], Scale(-1, 1))],
)
def test_noise_does_not_look_like_a_trend(values, scale):
    assert Scale.over(values) == scale


def test_values_without_a_logarithm_do_not_move_the_scale():
    assert Scale.over([0.0, math.inf, math.nan, -1.0, 1e-3, 10.0]) == Scale(-3, 1)


def test_a_falling_signal_falls():
    values = [10.0**-place for place in range(50)]
    bars = sparkline(values, Scale.over(values))
    assert (len(bars), bars[0], bars[-1]) == (9, BARS[-1], BARS[0])
    assert list(bars) == sorted(bars, reverse=True)


def test_short_runs_have_one_bar_per_value():
    assert sparkline([1.0, 1e-4], Scale(-4, 0)) == BARS[-1] + BARS[0]


def test_special_values_have_their_own_signs():
    assert sparkline([0.0, math.inf, math.nan, None, 1e30], Scale(-1, 1)) == "0!! " + BARS[-1]


def test_ascii():
    bars = sparkline([10.0**-place for place in range(9)], Scale(-8, 0), unicode=False)
    assert bars == ASCII_BARS[::-1]
