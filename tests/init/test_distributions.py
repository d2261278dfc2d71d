"""Base variates into numbers of a given width."""

import math

import pytest
import torch

from initprobe.init.distributions import draw, truncated_normal, truncated_std
from initprobe.variates import Variates

VARIATES = Variates(0, "w")


def test_two_sigmas_keep_their_published_share():
    assert truncated_std() == pytest.approx(0.87962566103423978, rel=1e-14)
    assert truncated_std(-1.0, 1.0) == pytest.approx(
        math.sqrt(1 - 2 * 0.24197072451914337 / 0.6826894921370859), rel=1e-12
    )
    assert truncated_std(-1.0, 3.0) == pytest.approx(truncated_std(-3.0, 1.0), rel=1e-12)
    assert truncated_std(-100.0, 100.0) == 1.0


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (-1.0, 3.0), (0.5, 0.6), (4.0, 6.0), (-6.0, -4.0)])
def test_truncated_numbers_stay_inside_and_have_that_width(low, high):
    values = truncated_normal(VARIATES, (40_000,), 3.0, low, high)
    assert values.dtype == torch.float64
    assert 3 * low <= values.min() < values.max() <= 3 * high
    assert float(values.std()) == pytest.approx(3 * truncated_std(low, high), rel=0.02)


def test_truncation_far_out_is_no_truncation_and_nothing_infinite():
    # 2**25 numbers would meet a uniform variate of exactly zero; its image must be an ordinary number.
    class Zeros(Variates):
        def uniform(self, shape):
            return torch.zeros(shape)

    assert -6.0 < float(truncated_normal(Zeros(0, "w"), (1,), 1.0, -100.0, 100.0)) < -5.0


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
def test_every_distribution_has_the_width_asked_for(distribution):
    values = draw(VARIATES, (300, 100), distribution, 0.02).double()
    assert float(values.std()) == pytest.approx(0.02, rel=4 / math.sqrt(60_000))
    largest = {"normal": math.inf, "uniform": math.sqrt(3), "truncated_normal": 2 / truncated_std()}[distribution]
    assert float(values.abs().max()) <= 0.02 * largest * (1 + 1e-6)
