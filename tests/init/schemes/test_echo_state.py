"""A sparse recurrence of a given spectral radius."""

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError


class Reservoir(nn.Module):
    """A recurrent layer and a readout."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(layer.proj_size or layer.hidden_size, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x)[0])


def radius(matrix):
    return float(torch.linalg.eigvals(matrix.detach().double()).abs().max())


@pytest.mark.parametrize(("scheme", "expected"), [("echo_state", 1.1), ("esn(radius=0.95, k=5)", 0.95)])
def test_the_spectral_radius_and_the_entries_per_unit(scheme, expected):
    model = Reservoir(nn.RNN(10, 100, batch_first=True))
    outcome = initprobe.initialize(model, scheme, inputs=(4, 10))
    hidden = model.layer.weight_hh_l0
    assert radius(hidden) == pytest.approx(expected, abs=1e-5)
    assert (hidden != 0).sum(1).eq(5 if "k=5" in scheme else 15).all()
    assert float(model.layer.weight_ih_l0.detach().std()) == pytest.approx(0.1, rel=4 / 2000**0.5)
    assert model.layer.bias_ih_l0.eq(0).all()
    assert all(one.note is None for one in outcome.drawn)


def test_an_echo_dies_below_one_and_rings_above():
    sizes = {}
    for value in (0.5, 1.1):
        model = Reservoir(nn.RNN(10, 100, batch_first=True))
        initprobe.initialize(model, f"echo_state(radius={value})", inputs=(4, 10))
        state = 0.1 * torch.randn(1, 3, 100, generator=torch.Generator().manual_seed(0))
        sizes[value] = float(model.layer(torch.zeros(3, 100, 10), state)[1].detach().norm() / state.norm())
    assert sizes[0.5] < 1e-20
    assert sizes[1.1] > 0.1


def test_gates_have_a_radius_each_and_say_so():
    model = Reservoir(nn.GRU(10, 40, batch_first=True))
    outcome = initprobe.initialize(model, "echo_state", inputs=(4, 10))
    for gate in model.layer.weight_hh_l0.chunk(3):
        assert radius(gate) == pytest.approx(1.1, abs=1e-5)
    told = {one.weight: one.note for one in outcome.drawn}
    assert "has no gates" in told["layer.weight_hh_l0"]


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projected_state_has_no_eigenvalues():
    model = Reservoir(nn.LSTM(10, 40, proj_size=8, batch_first=True))
    outcome = initprobe.initialize(model, "echo_state", inputs=(4, 10))
    assert "is not square" in {one.weight: one.reason for one in outcome.skipped}["layer.weight_hh_l0"]


def test_a_network_without_recurrence_is_refused():
    with pytest.raises(UsageError, match="this network has none"):
        initprobe.initialize(nn.Sequential(nn.Linear(4, 4)), "echo_state", inputs=(4,))
