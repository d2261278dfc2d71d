"""SIREN: layers of sines that all see the same distribution."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError

FIXED_POINT = 0.79681213
"""Root of q = 1 - exp(-2 q): what W of variance 2 / (n omega_0²) makes of E sin² = (1 - exp(-2 q)) / 2."""


class Sine(nn.Module):
    def __init__(self, omega: float) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.omega * x)


def network(width: int, depth: int, omega: float = 30.0) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(2, width), Sine(omega)]
    for _ in range(depth):
        layers += [nn.Linear(width, width), Sine(omega)]
    return nn.Sequential(*layers, nn.Linear(width, 1))


def moments(model: nn.Sequential, omega: float) -> list[float]:
    """Second moments of the sines' arguments behind the first layer."""
    x = torch.rand(1024, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = []
    with torch.no_grad():
        for layer in model[:-1]:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                found.append(float((omega * x).square().mean()))
    return found[1:]


@pytest.mark.parametrize("omega", [30.0, 10.0])
def test_arguments_come_to_their_fixed_point(omega):
    model = network(512, 6, omega)
    ip.initialize(model, f"siren(omega_0={omega}, bias=zero)", inputs=(2,))
    found = moments(model, omega)
    # What the first sine puts out is an arcsine's: a second moment of one half, so the next argument has 1.
    assert found[0] == pytest.approx(1.0, rel=0.05)
    assert found[1] == pytest.approx(1 - math.exp(-2), rel=0.05)
    assert found[-1] == pytest.approx(FIXED_POINT, rel=0.05)


def test_torchs_biases_add_their_own_variance():
    width, omega = 256, 30.0
    model = network(width, 6, omega)
    ip.initialize(model, "siren", inputs=(2,))
    # q = 1 - exp(-2 q) + omega² / (3 n): at this width the biases weigh more than the signal.
    extra, q = omega**2 / (3 * width), 1.0
    for _ in range(50):
        q = 1 - math.exp(-2 * q) + extra
    assert sum(moments(model, omega)) / 6 == pytest.approx(q, rel=0.06)


def test_without_biases_the_network_is_odd():
    model = network(32, 2)
    x = torch.rand(5, 2)
    ip.initialize(model, "siren(bias=zero)", inputs=(2,))
    torch.testing.assert_close(model(-x), -model(x))
    ip.initialize(model, "siren", inputs=(2,))
    assert (model(-x) + model(x)).abs().max() > 1e-3


def test_it_is_what_the_authors_draw(ks_distance):
    model = network(64, 1)
    outcome = ip.initialize(model, "siren", inputs=(2,))
    stds = {one.weight: one.std for one in outcome.drawn}
    limits = {"0": 1 / 2, "2": math.sqrt(6 / 64) / 30, "4": math.sqrt(6 / 64) / 30}
    for name, limit in limits.items():
        values = model.get_parameter(f"{name}.weight").detach()
        assert stds[f"{name}.weight"] == pytest.approx(limit / math.sqrt(3))
        assert values.abs().max() <= limit
        reference = torch.empty(20000).uniform_(-limit, limit, generator=torch.Generator().manual_seed(3))
        n = values.numel() * 20000 / (values.numel() + 20000)
        assert ks_distance(values, reference) < 1.95 / math.sqrt(n)
    assert stds["2.bias"] == pytest.approx(1 / math.sqrt(3 * 64))
    assert stds["0.bias"] == pytest.approx(1 / math.sqrt(6))


def test_layers_without_a_sine_are_left_with_the_reason():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), Sine(1.0), nn.Linear(8, 3))
    outcome = ip.initialize(model, "siren(omega_0=1)", inputs=(4,))
    assert {one.weight for one in outcome.skipped} == {"0.weight", "2.weight"}
    assert "no sine stands before or behind it" in outcome.skipped[0].reason


def test_a_sine_that_is_seen_makes_a_first_layer_anywhere():
    class Plain(nn.Module):
        def forward(self, x):
            return torch.sin(x)

    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 9), Plain(), nn.Linear(9, 3))
    outcome = ip.initialize(model, "siren(omega_0=1)", inputs=(4,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["2.weight"] == pytest.approx(1 / 8 / math.sqrt(3))
    assert stds["4.weight"] == pytest.approx(math.sqrt(2 / 9))


def test_a_network_without_sines_is_refused():
    with pytest.raises(UsageError, match="a sine between them, and this network has none") as refused:
        ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), "siren", inputs=(4,))
    assert "variance_scaling" in refused.value.hint
