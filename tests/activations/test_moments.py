"""Moments against published digits, closed forms and sampling."""

import math

import numpy as np
import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import (
    NotElementwiseError,
    backward_gain,
    derivative_second_moment,
    forward_gain,
    mean,
    resolved_options,
    second_moment,
)
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

# E f, E f², E f'² at q = 1, to the 15 digits of a 40-digit integration.
CONSTANTS = {
    ActivationUse("relu"): (0.398942280401433, 0.5, 0.5),
    ActivationUse("leaky_relu"): (0.394952857597418, 0.50005, 0.50005),
    ActivationUse("leaky_relu", (("negative_slope", 0.2),)): (0.319153824321146, 0.52, 0.52),
    ActivationUse("relu6"): (0.398942280245076, 0.49999999807527, 0.499999999013412),
    ActivationUse("hardtanh"): (0.0, 0.516058550961713, 0.682689492137086),
    ActivationUse("tanh"): (0.0, 0.394294490397841, 0.464402902448268),
    ActivationUse("sigmoid"): (0.5, 0.293379035858093, 0.0448362413501944),
    ActivationUse("softsign"): (0.0, 0.183014021266547, 0.227671340422182),
    ActivationUse("softplus"): (0.80605918334744, 0.9212459088593, 0.293379035858093),
    ActivationUse("elu"): (0.160520572266556, 0.644945417492924, 0.668102001223171),
    ActivationUse("selu"): (0.0, 1.0, 1.0715749924558),
    ActivationUse("gelu"): (0.282094791773878, 0.425221482570299, 0.455850865649287),
    ActivationUse("gelu", (("approximate", "tanh"),)): (0.282038588078789, 0.425193711033099, 0.455817845962951),
    ActivationUse("silu"): (0.206620964141907, 0.355775519817352, 0.379482351632829),
    ActivationUse("mish"): (0.240403888374791, 0.452342192375883, 0.47908375837397),
    ActivationUse("sine"): (0.0, 0.432332358381694, 0.567667641618306),
}
ZERO_MEAN = ("hardtanh", "tanh", "softsign", "selu", "sine", "tanhshrink", "softshrink", "hardshrink")
ELEMENTWISE = [name for name, leaf in ACTIVATIONS.items() if leaf.value is not None]


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


@pytest.mark.parametrize(("use", "expected"), CONSTANTS.items(), ids=str)
def test_published_digits(use, expected):
    ours = (mean(use), second_moment(use), derivative_second_moment(use))
    assert ours == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert forward_gain(use) == pytest.approx(expected[1] ** -0.5, rel=1e-12)
    assert backward_gain(use) == pytest.approx(expected[2] ** -0.5, rel=1e-12)


@pytest.mark.parametrize("name", ZERO_MEAN)
def test_odd_functions_and_selu_have_mean_zero(name):
    assert abs(mean(ActivationUse(name))) < 1e-15


@pytest.mark.parametrize("q", [1e-6, 0.01, 1.0, 100.0, 1e6])
def test_closed_forms_at_every_scale(q):
    s = math.sqrt(q)
    asin, erf = math.asin, math.erf
    gelu = q / 4 + q / (2 * math.pi) * asin(q / (1 + q)) + q * q / (math.pi * (1 + q) * math.sqrt(1 + 2 * q))
    hardtanh = q * (erf(1 / (s * math.sqrt(2))) - math.sqrt(2 / (math.pi * q)) * math.exp(-1 / (2 * q)))
    hardtanh += math.erfc(1 / (s * math.sqrt(2)))
    assert second_moment(ActivationUse("relu"), q) == pytest.approx(q / 2, rel=1e-13)
    assert second_moment(ActivationUse("gelu"), q) == pytest.approx(gelu, rel=1e-12)
    assert second_moment(ActivationUse("sine"), q) == pytest.approx(-math.expm1(-2 * q) / 2, rel=1e-11)
    assert second_moment(ActivationUse("hardtanh"), q) == pytest.approx(hardtanh, rel=1e-9)
    assert derivative_second_moment(ActivationUse("hardtanh"), q) == pytest.approx(
        erf(1 / (s * math.sqrt(2))), rel=1e-12
    )


@pytest.mark.parametrize("q", [0.01, 0.3, 1.0, 4.0])
def test_elu_closed_form(q):
    s = math.sqrt(q)
    square = q / 2 + math.exp(2 * q) * normal_cdf(-2 * s) - 2 * math.exp(q / 2) * normal_cdf(-s) + 0.5
    assert second_moment(ActivationUse("elu"), q) == pytest.approx(square, rel=1e-11)
    slope = 0.5 + math.exp(2 * q) * normal_cdf(-2 * s)
    assert derivative_second_moment(ActivationUse("elu"), q) == pytest.approx(slope, rel=1e-12)


def test_a_wide_gaussian_does_not_step_over_the_bend():
    expected = 1 - 2 / (1e5 * math.sqrt(2 * math.pi))  # ∫ sech² = 2
    assert second_moment(ActivationUse("tanh"), 1e10) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_agrees_with_sampling(name):
    leaf, use = ACTIVATIONS[name], ActivationUse(name)
    z = np.random.default_rng(0).standard_normal(200_000)
    f, slope = leaf.value(z, **leaf.options), leaf.derivative(z, **leaf.options)
    squares = f**2 if leaf.value_square is None else leaf.value_square(z, **leaf.options)
    slope_squares = slope**2 if leaf.derivative_square is None else leaf.derivative_square(z, **leaf.options)
    pairs = [(f, mean(use)), (squares, second_moment(use)), (slope_squares, derivative_second_moment(use))]
    for sample, exact in pairs:
        assert abs(sample.mean() - exact) <= 5 * sample.std() / math.sqrt(sample.size) + 1e-12


def test_rrelu_is_averaged_over_its_random_slope():
    use = ActivationUse("rrelu", (("lower", 0.1), ("upper", 0.5)))
    slope = (0.01 + 0.05 + 0.25) / 3
    assert second_moment(use) == pytest.approx((1 + slope) / 2, rel=1e-13)
    assert derivative_second_moment(use) == pytest.approx((1 + slope) / 2, rel=1e-13)
    assert mean(use) == pytest.approx((1 - 0.3) / math.sqrt(2 * math.pi), rel=1e-13)


def test_nothing_at_zero_width():
    assert second_moment(ActivationUse("sigmoid"), 0.0) == 0.25
    assert derivative_second_moment(ActivationUse("tanh"), 0.0) == 1.0


@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax", "glu"])
def test_no_moments_without_a_function_of_one_number(name):
    with pytest.raises(NotElementwiseError, match=f"{name} does not act on one number"):
        forward_gain(ActivationUse(name))
    with pytest.raises(NotElementwiseError):
        derivative_second_moment(ActivationUse(name))


def test_mistakes_name_the_nearest():
    with pytest.raises(UsageError, match="unknown activation 'relo'") as caught:
        mean(ActivationUse("relo"))
    assert caught.value.hint == "did you mean 'relu'?"
    with pytest.raises(UsageError, match="has no option 'negative_slop'") as caught:
        mean(ActivationUse("leaky_relu", (("negative_slop", 0.1),)))
    assert caught.value.hint == "did you mean 'negative_slope'?"
    with pytest.raises(UsageError, match="has no option 'x'") as caught:
        mean(ActivationUse("relu", (("x", 0.1),)))
    assert caught.value.hint == "relu has no options"
    with pytest.raises(UsageError, match="approximate is 'erf'"):
        mean(ActivationUse("gelu", (("approximate", "erf"),)))
    with pytest.raises(ValueError, match="second moment"):
        second_moment(ActivationUse("relu"), -1.0)


def test_an_activation_that_passes_nothing_has_no_gain():
    with pytest.raises(UsageError, match="has no gain"):
        forward_gain(ActivationUse("hardshrink", (("lambd", 40.0),)))


def test_options_are_completed_with_torchs_defaults():
    use = ActivationUse("softplus", (("beta", 2.0),))
    assert resolved_options(use) == {"beta": 2.0, "threshold": 20.0}
