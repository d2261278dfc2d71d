"""Expectations over pairs against closed forms, against each other and against 1-D integrals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import NotElementwiseError, derivative_moments_around, mean, moments_around
from initprobe.errors import UsageError
from initprobe.predict.pairs import deficit, derivative_deficit, derivative_product, product, square_product
from initprobe.records import ActivationUse

ELEMENTWISE = sorted(name for name, leaf in ACTIVATIONS.items() if leaf.value is not None)
CORRELATIONS = (-1.0, -0.99, -0.5, 0.0, 0.3, 0.9, 1 - 1e-6, 1 - 1e-12, 1.0)
CHEAP = ("relu", "leaky_relu", "tanh", "softsign", "hardtanh", "elu", "silu")


def leaky_product(q, c, slope):
    """Cho & Saul 2009, eq. 6, for both halves of the line."""
    root, angle = math.sqrt(max(1 - c * c, 0.0)), math.acos(c)
    return q * ((1 - slope) ** 2 * (root + (math.pi - angle) * c) / (2 * math.pi) + slope * c)


@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_rectifiers(c, slope):
    use = ActivationUse("leaky_relu", (("negative_slope", slope),))
    sided = (1 - slope) ** 2 * (math.pi - math.acos(c)) / (2 * math.pi) + slope
    assert product(use, 2.0, c) == pytest.approx(leaky_product(2.0, c, slope), rel=1e-12, abs=1e-12)
    assert derivative_product(use, 2.0, c) == pytest.approx(sided, rel=1e-12)


@pytest.mark.parametrize("q", [1e-60, 0.3, 1e6, 1e60])
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "prelu", "rrelu"])
def test_a_rectifier_at_any_variance_is_that_at_one_made_larger(name, q):
    """A centre that is next to none takes the long way, over the panels of that variance; wide ones have too many."""
    use, beside = ActivationUse(name), 1e-13 * math.sqrt(q)
    for c in (-0.7, 0.0, 0.5):
        grown = (product(use, q, c), derivative_product(use, q, c), deficit(use, q, 1 - c), square_product(use, q, c))
        one = (product(use, 1, c), derivative_product(use, 1, c), deficit(use, 1, 1 - c), square_product(use, 1, c))
        assert grown == pytest.approx(
            [by * value for by, value in zip((q, 1, q, q * q), one, strict=True)], rel=1e-12, abs=0
        )
        if q < 1e9:
            assert grown[0] == pytest.approx(product(use, q, c, beside), rel=1e-11, abs=0)
            assert grown[1] == pytest.approx(derivative_product(use, q, c, beside), rel=1e-11, abs=0)
            assert grown[2] == pytest.approx(deficit(use, q, 1 - c, beside), rel=1e-11, abs=0)


@pytest.mark.parametrize("gap", [1e-3, 1e-8, 1e-12])
def test_the_deficit_keeps_its_digits(gap):
    # arccos(1 - g) = √(2 g) (1 + g / 12 + 3 g² / 160 ...), and so on for what is left of Cho & Saul's kernel
    angle = math.sqrt(2 * gap) * (1 + gap / 12 + 3 * gap**2 / 160)
    kernel = (angle - math.sin(angle) - angle * gap + math.pi * gap) / (2 * math.pi)
    use = ActivationUse("relu")
    assert deficit(use, 1.0, gap) == pytest.approx(kernel, rel=1e-10)
    assert derivative_deficit(use, 1.0, gap) == pytest.approx(angle / (2 * math.pi), rel=1e-10)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("c", [-0.8, 0.0, 0.5, 0.999])
def test_the_sine(q, c):
    use = ActivationUse("sine")
    assert product(use, q, c) == pytest.approx(math.exp(-q) * math.sinh(q * c), rel=1e-9, abs=1e-12)
    assert derivative_product(use, q, c) == pytest.approx(math.exp(-q) * math.cosh(q * c), rel=1e-9)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(("q", "centre"), [(0.04, 0.0), (3.0, 0.7)])
def test_what_is_missing_from_the_square_is_the_deficit(name, q, centre):
    use = ActivationUse(name)
    squares = moments_around(use, centre, q)[1], derivative_moments_around(use, centre, q)[1]
    for c in (-0.7, 0.6):
        assert squares[0] - deficit(use, q, 1 - c, centre) == pytest.approx(product(use, q, c, centre), abs=1e-13)
        both = squares[1] - derivative_deficit(use, q, 1 - c, centre)
        assert both == pytest.approx(derivative_product(use, q, c, centre), abs=1e-12)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_independent_inputs_share_nothing_but_the_mean(name):
    use = ActivationUse(name)
    assert product(use, 1.5, 0.0, 0.3) == pytest.approx(moments_around(use, 0.3, 1.5)[0] ** 2, rel=1e-11, abs=1e-13)
    assert derivative_product(use, 1.5, 0.0, 0.3) == pytest.approx(
        derivative_moments_around(use, 0.3, 1.5)[0] ** 2, rel=1e-11
    )


def test_a_wide_gaussian_does_not_step_over_the_bend():
    # tanh is a step of width 1 there: Sheppard's formula, less what its width takes, O(1/√q)
    use = ActivationUse("tanh")
    assert product(use, 1e8, 0.5) == pytest.approx(1 / 3, abs=1e-7)
    assert product(use, 1e8, 0.0) == pytest.approx(0.0, abs=1e-13)


def test_random_slopes_are_not_shared():
    use = ActivationUse("rrelu")
    assert product(use, 1.0, 1.0) < moments_around(use, 0.0, 1.0)[1]
    variance = (1 / 3 - 1 / 8) ** 2 / 12
    assert deficit(use, 1.0, 0.0) == pytest.approx(variance / 2, rel=1e-12)


def test_nothing_at_zero_width():
    assert product(ActivationUse("sigmoid"), 0.0, 0.5) == 0.25
    assert deficit(ActivationUse("sigmoid"), 0.0, 0.5) == 0.0


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(CHEAP),
    q=st.floats(1e-3, 1e3),
    one=st.floats(-1.0, 1.0),
    other=st.floats(-1.0, 1.0),
)
def test_products_lie_between_their_bounds(name, q, one, other):
    use = ActivationUse(name)
    square = moments_around(use, 0.0, q)[1]
    low, high = sorted((one, other))
    assert abs(product(use, q, low)) <= square * (1 + 1e-10)  # Cauchy-Schwarz
    if low >= 0.0:  # every Hermite coefficient enters squared
        assert product(use, q, high) >= product(use, q, low) - 1e-11 * square
        assert product(use, q, low) >= mean(use, q) ** 2 - 1e-11 * square


def test_agrees_with_sampling():
    use, c = ActivationUse("gelu"), -0.4
    z = np.random.default_rng(0).standard_normal((2, 200_000))
    x, y = 0.5 + z[0], 0.5 + c * z[0] + math.sqrt(1 - c * c) * z[1]
    leaf = ACTIVATIONS["gelu"]
    sample = leaf.value(x, **leaf.options) * leaf.value(y, **leaf.options)
    assert abs(sample.mean() - product(use, 1.0, c, 0.5)) < 5 * sample.std() / math.sqrt(sample.size)


def test_mistakes():
    with pytest.raises(NotElementwiseError, match="softmax does not act on one number"):
        product(ActivationUse("softmax"), 1.0, 0.5)
    with pytest.raises(UsageError, match="no option"):
        product(ActivationUse("relu", (("slope", 1.0),)), 1.0, 0.5)
    with pytest.raises(ValueError, match="no correlation is"):
        product(ActivationUse("relu"), 1.0, 1.5)
    with pytest.raises(ValueError, match="no Gaussian"):
        product(ActivationUse("relu"), -1.0, 0.5)
