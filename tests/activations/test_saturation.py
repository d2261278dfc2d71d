"""Where activations are flat at both ends, against closed forms."""

import math

import numpy as np
import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import resolved_options
from initprobe.activations.saturation import FLAT, flat_beyond
from initprobe.errors import UsageError
from initprobe.records import ActivationUse


@pytest.mark.parametrize(
    ("name", "high"),
    [
        ("tanh", math.sqrt(1 - FLAT)),  # f' = 1 - f²
        ("softsign", 1 - math.sqrt(FLAT)),  # f' = (1 - |f|)²
        ("hardtanh", 1.0),
    ],
)
def test_odd_functions(name, high):
    assert flat_beyond(ActivationUse(name)) == pytest.approx((-high, high), rel=1e-9)


def test_a_sigmoid():
    # f' = f (1 - f) = FLAT / 4
    edge = 0.5 - 0.5 * math.sqrt(1 - FLAT)
    assert flat_beyond(ActivationUse("sigmoid")) == pytest.approx((edge, 1 - edge), rel=1e-9)


def test_options_count():
    assert flat_beyond(ActivationUse("hardtanh", (("min_val", -2.0), ("max_val", 0.5)))) == pytest.approx((-2.0, 0.5))
    with pytest.raises(UsageError, match="no option"):
        flat_beyond(ActivationUse("tanh", (("slope", 1.0),)))


@pytest.mark.parametrize("name", ["relu", "relu6", "gelu", "silu", "elu", "selu", "softplus", "sine", "softmax", "glu"])
def test_what_is_flat_on_one_side_or_none_does_not_saturate(name):
    assert flat_beyond(ActivationUse(name)) is None


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if flat_beyond(ActivationUse(name))])
def test_between_the_bounds_it_is_steep_and_beyond_them_flat(name):
    leaf, options = ACTIVATIONS[name], resolved_options(ActivationUse(name))
    low, high = flat_beyond(ActivationUse(name))
    inputs = np.linspace(-20, 20, 40_001)
    values, slopes = leaf.value(inputs, **options), leaf.derivative(inputs, **options)
    outside = (values <= low) | (values >= high)
    assert outside.any()
    assert (slopes[outside] < FLAT * slopes.max()).all()
    assert (slopes[~outside] >= FLAT * slopes.max() * (1 - 1e-9)).all()
