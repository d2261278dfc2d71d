import pytest
import torch
from torch import nn

from initprobe.parametrizations.reparametrize import reparametrize


@pytest.mark.parametrize(
    ("build", "axes"),
    [
        (lambda: nn.Linear(5, 7), [1]),
        (lambda: nn.Conv2d(4, 6, 3, groups=2), [1, 2, 3]),
        (lambda: nn.ConvTranspose1d(4, 6, 3), [0, 2]),
    ],
)
def test_a_length_per_output(build, axes):
    layer = build()
    before = layer.weight.detach().clone()
    reparametrize(layer, "weight_norm")
    length, direction = layer.parametrizations.weight.parameters()
    torch.testing.assert_close(length, before.square().sum(axes, keepdim=True).sqrt())
    torch.testing.assert_close(direction, before)
    with torch.no_grad():
        direction.mul_(3.0)
        length.mul_(2.0)
    torch.testing.assert_close(layer.weight.detach(), 2.0 * before)
