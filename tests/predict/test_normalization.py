"""Rates of normalized networks against closed forms and against what was measured on wide networks."""

import math

import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.callables import adopt
from initprobe.activations.moments import NotElementwiseError
from initprobe.predict.normalization import batch_norm_rate, centred_rate, plain_rate
from initprobe.records import ActivationUse

ELEMENTWISE = sorted(name for name, leaf in ACTIVATIONS.items() if leaf.value is not None)
RELU = ActivationUse("relu")

# Squared gradient per layer in networks of relu behind batch normalization, by batch size.
MEASURED = {8: 1.82, 16: 1.58, 32: 1.51, 64: 1.495}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_no_batch_normalization_without_growth(name):
    assert centred_rate(ActivationUse(name)) >= 1.0 or name == "hardshrink"  # which jumps
    assert centred_rate(ActivationUse(name)) >= plain_rate(ActivationUse(name))


@pytest.mark.parametrize(("batch", "rate"), MEASURED.items())
def test_small_batches_are_worse(batch, rate):
    assert batch_norm_rate(RELU, batch) == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("batch", [4, 8, 64, 1000])
def test_closed_forms(batch):
    identity = adopt("identity", lambda z: 1.0 * z)
    assert batch_norm_rate(identity, batch) == pytest.approx((batch - 2) / (batch - 3), rel=1e-10)
    c = -1.0 / (batch - 1)
    open_ = math.pi - math.acos(c)
    shared, kernel = open_ / (2 * math.pi), (math.sqrt(1 - c * c) + c * open_) / (2 * math.pi)
    expected = ((batch - 1) / 2 + shared - 0.5 + kernel) / ((batch - 3) * (0.5 - kernel))
    assert batch_norm_rate(RELU, batch) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "hardtanh", "rrelu"])
def test_large_batches_meet_the_limit(name):
    use = ActivationUse(name)
    gaps = [batch_norm_rate(use, batch) - centred_rate(use) for batch in (1000, 2000)]
    assert abs(gaps[0]) < 3e-3
    assert gaps[0] / gaps[1] == pytest.approx(2.0, rel=0.05)


def test_mistakes():
    with pytest.raises(ValueError, match="takes 4 samples"):
        batch_norm_rate(RELU, 3)
    with pytest.raises(NotElementwiseError):
        batch_norm_rate(ActivationUse("softmax"), 8)
