import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initprobe.parametrizations.reparametrize import reparametrize

LAYERS = [
    (lambda: nn.Linear(64, 96), 64),
    (lambda: nn.Conv2d(32, 64, 3, groups=4), 72),
    (lambda: nn.Conv1d(48, 48, 5, groups=48), 5),
    # Of 16 taps, 4 meet one output.
    (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2), 256),
    (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2, groups=2), 128),
]


@pytest.mark.parametrize(("build", "fan_in"), LAYERS)
@pytest.mark.parametrize("options", [{}, {"gain": 1.0, "lr_mul": 0.01}])
def test_the_variance_is_gain_squared_over_the_fan(build, fan_in, options):
    layer = build()
    reparametrize(layer, "equalized", **options)
    stored = layer.parametrizations.weight.original
    with torch.no_grad():
        stored.normal_(generator=torch.Generator().manual_seed(0)).div_(options.get("lr_mul", 1.0))
    factor = options.get("gain", math.sqrt(2.0)) * options.get("lr_mul", 1.0) / math.sqrt(fan_in)
    torch.testing.assert_close(layer.weight, stored * factor)
    wanted = options.get("gain", math.sqrt(2.0)) / math.sqrt(fan_in)
    # The standard error of a standard deviation is 1/√(2n) of it.
    assert float(layer.weight.detach().std()) == pytest.approx(wanted, rel=4 / math.sqrt(2 * stored.numel()))


@settings(deadline=None)
@given(gain=st.floats(1e-3, 1e3), lr_mul=st.floats(1e-3, 1e3), fan=st.integers(1, 2000), value=st.floats(-1e3, 1e3))
def test_whatever_is_assigned_is_seen(gain, lr_mul, fan, value):
    layer = nn.Linear(fan, 1, dtype=torch.float64)
    reparametrize(layer, "equalized", gain=gain, lr_mul=lr_mul)
    layer.weight = torch.full((1, fan), value, dtype=torch.float64)
    torch.testing.assert_close(layer.weight.detach(), torch.full_like(layer.weight, value), rtol=1e-14, atol=1e-300)


def test_a_step_of_adam_moves_weights_by_lr_mul_over_the_root_of_the_fan():
    for lr_mul in (1.0, 0.01):
        layer = nn.Linear(256, 8, bias=False)
        reparametrize(layer, "equalized", gain=1.0, lr_mul=lr_mul)
        before = layer.weight.detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        layer(torch.randn(4, 256, generator=torch.Generator().manual_seed(0))).sum().backward()
        optimizer.step()
        step = (layer.weight.detach() - before).abs().mean()
        assert float(step) == pytest.approx(0.1 * lr_mul / 16, rel=1e-3)
