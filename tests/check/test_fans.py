"""Gains that activations want, fans that schemes divide by, and numbers that are taken for one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from initprobe.check.fans import GAINS, needed_gain, right_fans, stored_fans, wrong_fans
from initprobe.records import ActivationUse, Weight


def weight(shape, role="conv", fan_in=None, fan_out=None):
    return Weight("conv.weight", "conv", "Conv2d", role, shape, fan_in=fan_in, fan_out=fan_out)


@pytest.mark.parametrize(
    ("activation", "gain"),
    [(None, 1.0), ("relu", 2.0), ("tanh", 1.0), ("selu", 1.0), ("sigmoid", None), ("softmax", None)],
)
def test_the_gain_an_activation_wants(activation, gain):
    use = None if activation is None else ActivationUse(activation)
    assert needed_gain(use) == (gain if gain is None else pytest.approx(gain))


def test_no_gain_is_wanted_of_a_function_that_nobody_knows():
    assert needed_gain(ActivationUse("no-such-function")) is None


@pytest.mark.parametrize(
    "layer", [nn.Linear(12, 30), nn.Conv2d(8, 12, 3), nn.Conv1d(8, 12, 5, groups=4), nn.ConvTranspose2d(6, 10, 4)]
)
def test_fans_of_a_shape_are_torch_s(layer):
    stored = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    assert stored_fans(weight(tuple(layer.weight.shape))) == stored
    assert set(stored) <= set(right_fans(weight(tuple(layer.weight.shape))))


def test_the_gains_are_those_of_torch():
    for name in ("tanh", "selu", "relu", "linear"):
        assert any(math.isclose(nn.init.calculate_gain(name) ** 2, gain, rel_tol=1e-6) for gain in GAINS)
    default = nn.Linear(1000, 1000, bias=False).weight
    with torch.no_grad():
        nn.init.kaiming_uniform_(default, a=math.sqrt(5), generator=torch.Generator().manual_seed(0))
    assert 1000 * default.var().item() == pytest.approx(1.0 / 3.0, rel=0.01)


def test_what_is_taken_for_a_fan():
    dense = weight((24, 16, 3, 3), fan_in=144.0, fan_out=216.0)
    assert set(wrong_fans(dense).values()) == {16, 24, 9, 24 * 16 * 9}
    assert set(right_fans(dense)) == {144.0, 216.0, 180.0}
    assert list(wrong_fans(weight((24, 16), "linear")).values()) == [24 * 16]


def test_a_depthwise_kernel_has_the_fan_of_one_channel():
    depthwise = weight((32, 1, 3, 3), "depthwise", 9.0, 9.0)
    assert right_fans(depthwise) == (9.0,)
    assert 32 * 9 in wrong_fans(depthwise).values()
