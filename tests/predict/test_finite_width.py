"""Finite width: exact sums against published digits, against sampling, and special functions against known values."""

import math

import numpy as np
import pytest

from initprobe.predict.finite_width import (
    dead_probability,
    digamma,
    hanin_beta,
    linear_log_norm,
    log_variance,
    rectifier_log_norm,
    seed_band,
    spread,
    trigamma,
)
from initprobe.records import ActivationUse


@pytest.mark.parametrize(("width", "mean", "variance"), [(128, -0.0197864, 0.0402340), (32, -0.0825402, 0.1774978)])
def test_the_exact_sum(width, mean, variance):
    found = rectifier_log_norm([width])
    assert (found.mean, found.variance) == (pytest.approx(mean, abs=6e-8), pytest.approx(variance, abs=6e-8))


def test_only_the_sum_of_reciprocal_widths_counts():
    # Hanin 2018, figure 1: both have beta = 0.15625
    narrow, wide = rectifier_log_norm([64] * 10), rectifier_log_norm([128] * 20)
    assert hanin_beta([64] * 10) == hanin_beta([128] * 20) == 0.15625
    assert narrow.variance == pytest.approx(0.8300, abs=5e-5)
    assert wide.variance == pytest.approx(0.8047, abs=5e-5)
    assert log_variance([128] * 20, 5.0) == pytest.approx(5 * 0.15625)


def test_sums_and_series_meet():
    exact, series = rectifier_log_norm([4096]), rectifier_log_norm([4097])
    assert exact.mean == pytest.approx(series.mean, rel=3e-3)
    assert exact.variance == pytest.approx(series.variance, rel=3e-3)


def test_against_sampling():
    rng, width = np.random.default_rng(0), 24
    active = rng.binomial(width, 0.5, size=200_000)
    logs = np.log(2.0 / width * rng.chisquare(active[active > 0]))
    found = rectifier_log_norm([width])
    assert logs.mean() == pytest.approx(found.mean, abs=5 * logs.std() / math.sqrt(logs.size))
    assert logs.var() == pytest.approx(found.variance, rel=0.03)
    linear = np.log(rng.chisquare(width, size=200_000) / width)
    assert linear.mean() == pytest.approx(linear_log_norm([width]).mean, abs=5 * linear.std() / math.sqrt(logs.size))
    assert linear.var() == pytest.approx(linear_log_norm([width]).variance, rel=0.03)


def test_the_spread_of_a_unit():
    assert spread(ActivationUse("relu")) == pytest.approx(5.0, rel=1e-10)
    assert spread(ActivationUse("relu"), c=0.0) == pytest.approx(0.0, abs=1e-12)
    assert spread(ActivationUse("leaky_relu", (("negative_slope", 1.0),)), c=0.6) == pytest.approx(2 * 0.36, rel=1e-9)
    assert spread(ActivationUse("tanh")) < 2.0


def test_a_network_of_tanh_strays_as_told():
    rng, width, depth, draws = np.random.default_rng(0), 64, 8, 600
    use, slope = ActivationUse("tanh"), 0.5525160008553017
    z = rng.normal(0.0, math.sqrt(0.617964769768546), (draws, width))
    for _ in range(depth):
        weights = rng.normal(0.0, math.sqrt(2.0 / width), (draws, width, width))
        z = np.einsum("rij,rj->ri", weights, np.tanh(z))
    # the last layer's own 2 / n comes from the n pre-activations that are squared
    expected = log_variance([width] * depth, spread(use, 0.617964769768546), slope) + 2 / width
    assert np.log((z**2).mean(axis=1)).var() == pytest.approx(expected, rel=0.2)


def test_the_band():
    low, high = seed_band([128] * 50)
    assert low < 0.5  # which is why nobody may judge one draw at this depth
    assert high > 2.0
    narrow = seed_band([4096] * 10)
    assert (narrow[1] - narrow[0]) == pytest.approx(2 * math.sqrt(50 / 4096), rel=0.02)


def test_dead_networks():
    assert dead_probability([1]) == 0.5
    assert dead_probability([2, 3]) == pytest.approx(1 - 0.75 * 0.875)
    assert dead_probability([100] * 5) == pytest.approx(5 * 2.0**-100, rel=1e-9)


def test_special_functions():
    euler = 0.5772156649015329
    assert digamma(1.0) == pytest.approx(-euler, rel=1e-14)
    assert digamma(0.5) == pytest.approx(-euler - 2 * math.log(2), rel=1e-14)
    assert trigamma(1.0) == pytest.approx(math.pi**2 / 6, rel=1e-13)
    assert trigamma(0.5) == pytest.approx(math.pi**2 / 2, rel=1e-13)
    step = 1e-5
    assert digamma(7.3) == pytest.approx((math.lgamma(7.3 + step) - math.lgamma(7.3 - step)) / (2 * step), rel=1e-9)
