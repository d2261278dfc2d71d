"""What Flax draws, on torch's layers; its numbers stand in flax.linen and jax.nn.initializers."""

import math

import pytest
import torch
from torch import nn

import initprobe

CUT = 2 / 0.87962566103423978
"""Where a truncated normal of standard deviation 1 ends."""


class Last(nn.Module):
    """The sequence that a recurrent layer puts out."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


@pytest.mark.parametrize(
    ("layer", "shape", "fan"),
    [
        (nn.Linear(50, 80), (50,), 50),
        (nn.Conv2d(16, 24, 3), (16, 5, 5), 16 * 9),
        (nn.Conv2d(32, 64, 3, groups=32), (32, 5, 5), 9),
        (nn.Conv1d(16, 64, 5, groups=4, stride=2), (16, 9), 4 * 5),
        (nn.ConvTranspose2d(16, 24, 4, stride=2), (16, 5, 5), 16 * 16),
    ],
)
def test_kernels_are_truncated_normals_of_variance_one_over_fan_in(layer, shape, fan):
    model = nn.Sequential(layer)
    outcome = initprobe.initialize(model, "flax", inputs=shape)
    weight = layer.weight.detach() * math.sqrt(fan)
    assert outcome.drawn[0].std == pytest.approx(1 / math.sqrt(fan))
    assert float(weight.std()) == pytest.approx(1.0, abs=4 / math.sqrt(2 * weight.numel()))
    assert CUT * 0.95 < float(weight.abs().max()) <= CUT * 1.0001
    assert layer.bias.eq(0).all()


@pytest.mark.parametrize(
    ("layer", "gates"), [(nn.LSTM(12, 20, batch_first=True), 4), (nn.GRU(12, 20, batch_first=True), 3)]
)
def test_gates_are_layers_of_their_own(layer, gates):
    initprobe.initialize(Last(layer), "jax_default", inputs=(4, 12))
    for gate in layer.weight_hh_l0.detach().chunk(gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(20), atol=1e-5, rtol=0)
    inputs = layer.weight_ih_l0.detach() * math.sqrt(12)
    assert float(inputs.std()) == pytest.approx(1.0, abs=4 / math.sqrt(2 * inputs.numel()))
    assert layer.bias_ih_l0.eq(0).all()
    assert layer.bias_hh_l0.eq(0).all()


def test_embeddings_have_rows_of_length_one():
    model = nn.Sequential(nn.Embedding(200, 64))
    outcome = initprobe.initialize(model, "jax_default", inputs=torch.zeros(2, 4, dtype=torch.long))
    lengths = model[0].weight.detach().norm(dim=1)
    assert float(lengths.square().mean()) == pytest.approx(1.0, abs=4 * math.sqrt(2 / 64 / 200))
    assert float(model[0].weight.detach().abs().max()) > CUT / 8  # no cut here
    assert outcome.drawn[0].std == pytest.approx(1 / 8)


def test_a_stride_that_does_not_count_makes_the_signal_weak():
    model = nn.Sequential(nn.ConvTranspose2d(64, 64, 4, stride=2))
    initprobe.initialize(model, "jax_default", inputs=(64, 10, 10))
    signal = torch.randn(8, 64, 10, 10, generator=torch.Generator().manual_seed(0))
    inside = model(signal).detach()[..., 4:-4, 4:-4]
    # Every pixel sums over a quarter of the 1024 weights that it was drawn for.
    assert float(inside.square().mean()) == pytest.approx(0.25, rel=0.05)
