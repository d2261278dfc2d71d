import math

import pytest
import torch
from torch import nn

from initprobe.parametrizations.reparametrize import reparametrize


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(64, 96),
        lambda: nn.Linear(256, 256),
        lambda: nn.Conv2d(16, 24, 3),
        lambda: nn.ConvTranspose2d(16, 24, 3),
    ],
)
def test_the_largest_singular_value_is_one_at_once(build):
    torch.manual_seed(0)
    layer = build().eval()
    reparametrize(layer, "spectral_norm")
    weight = layer.weight.detach()
    matrix = weight.transpose(0, 1).flatten(1) if getattr(layer, "transposed", False) else weight.flatten(1)
    # The power iteration comes from below, and slowly where singular values lie dense (256 × 256: 1.0037).
    assert 1.0 - 1e-4 < float(torch.linalg.matrix_norm(matrix, 2)) < 1.0 + 1e-2


@pytest.mark.parametrize(("fan_in", "fan_out"), [(512, 512), (256, 1024), (1024, 256)])
def test_the_variance_of_a_normal_weight_under_it(fan_in, fan_out):
    # σ_max of a normal matrix is √n_in + √n_out times its standard deviation: field result [27], a quarter for square.
    torch.manual_seed(0)
    layer = nn.Linear(fan_in, fan_out, bias=False)
    nn.init.normal_(layer.weight, std=0.7)
    reparametrize(layer, "spectral_norm")
    x = torch.randn(256, fan_in)
    gain = float((layer(x).square().sum() / x.square().sum()).detach())
    # The edge of the spectrum is n^(-2/3) wide.
    assert gain == pytest.approx(fan_out / (math.sqrt(fan_in) + math.sqrt(fan_out)) ** 2, rel=0.04)


def test_options_reach_torch():
    layer = nn.Linear(4, 4)
    reparametrize(layer, "spectral_norm", power_iterations=3)
    assert layer.parametrizations.weight[0].n_power_iterations == 3
