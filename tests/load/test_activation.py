"""Activations that a user wrote: numpy, torch, modules, classes and functions that make them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from initprobe.activations import moments
from initprobe.errors import TargetError, UsageError
from initprobe.load.activation import open_activation
from initprobe.records import ActivationUse

FILE = """\
import numpy as np
import torch
from torch import nn

def swish(z): return z / (1 + np.exp(-z))
def torch_swish(z): return z * torch.sigmoid(z)
def leaky(slope): return lambda z: torch.where(z > 0, z, slope * z)
def broken(z): return nothing_of_that_name

class Power(nn.Module):
    def __init__(self, power=1):
        super().__init__()
        self.power = power

    def forward(self, z):
        return torch.relu(z) ** self.power

softmax = nn.Softmax(dim=-1)
constant = 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("attribute", "same"),
    [
        ("swish", ActivationUse("silu")),
        ("torch_swish", ActivationUse("silu")),
        ("leaky(0.2)", ActivationUse("leaky_relu", (("negative_slope", 0.2),))),
        ("Power", ActivationUse("relu")),
    ],
)
def test_from_a_file(file, attribute, same):
    use = open_activation(f"{file}:{attribute}")
    assert use.name.startswith(f"mine.py:{attribute}")
    for moment in (moments.mean, moments.second_moment, moments.derivative_second_moment):
        assert moment(use, 0.7) == pytest.approx(moment(same, 0.7), rel=1e-9)


def test_arguments_of_a_class(file):
    assert moments.second_moment(open_activation(f"{file}:Power(2)")) == pytest.approx(1.5)


def test_objects_and_names():
    assert open_activation("leaky_relu(0.2)").options == (("negative_slope", 0.2),)
    assert open_activation(ActivationUse("relu")) == ActivationUse("relu")
    for given in (torch.tanh, np.tanh, nn.Tanh, nn.Tanh(), functional.tanh, "torch:tanh"):
        use = open_activation(given)
        assert moments.derivative_second_moment(use) == pytest.approx(0.464402902448268, rel=1e-9)


def test_a_module_is_not_touched():
    module = nn.PReLU()
    use = open_activation(module)
    assert module.weight.dtype == torch.float32
    assert module.weight.grad is None
    assert module.training
    assert moments.derivative_second_moment(use) == pytest.approx((1 + 0.25**2) / 2, rel=1e-9)


def test_slopes_are_those_of_autograd():
    class Straight(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return torch.sign(z)

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    assert moments.derivative_second_moment(open_activation(Straight.apply)) == pytest.approx(1.0)
    assert moments.derivative_second_moment(open_activation(lambda z: torch.sign(z.detach()))) == 0.0


def test_mistakes(file):
    with pytest.raises(UsageError, match="one number at a time"):
        open_activation(f"{file}:softmax")
    with pytest.raises(TargetError, match="raised NameError"):
        open_activation(f"{file}:broken")
    with pytest.raises(TargetError, match="not a function or a module"):
        open_activation(f"{file}:constant")
    with pytest.raises(TargetError, match="has no 'nope'"):
        open_activation(f"{file}:nope")
