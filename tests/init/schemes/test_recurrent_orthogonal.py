"""Every gate carries the hidden state over without stretching it."""

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError


class Sequence(nn.Module):
    """A recurrent layer and a readout."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        directions = 2 if layer.bidirectional else 1
        self.head = nn.Linear((layer.proj_size or layer.hidden_size) * directions, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x)[0])


LAYERS = [
    nn.LSTM(6, 16, num_layers=2, bidirectional=True, batch_first=True),
    nn.GRU(6, 16, num_layers=2, batch_first=True),
    nn.RNN(6, 16, batch_first=True),
]


def matrices(layer, kind):
    gates = {"LSTM": 4, "GRU": 3}.get(layer.mode, 1)
    for name, parameter in layer.named_parameters():
        if name.startswith(kind):
            yield from parameter.detach().chunk(gates)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.mode)
def test_every_hidden_matrix_is_orthogonal_by_itself(layer):
    initprobe.initialize(Sequence(layer), "recurrent_orthogonal(gain=1.5)", inputs=(4, 6))
    for gate in matrices(layer, "weight_hh"):
        torch.testing.assert_close(gate @ gate.T, 2.25 * torch.eye(16), atol=1e-5, rtol=0)


def test_one_draw_of_the_packed_matrix_halves_the_state():
    layer = nn.LSTM(6, 128, batch_first=True)
    model = Sequence(layer)
    initprobe.initialize(model, "keras_default", inputs=(4, 6))
    packed = layer.weight_hh_l0.detach()
    torch.testing.assert_close(packed.T @ packed, torch.eye(128), atol=1e-5, rtol=0)
    for gate in packed.chunk(4):
        # The mean of 128 squared singular values that sum up to 128 over four gates.
        assert float(torch.linalg.svdvals(gate).square().mean()) == pytest.approx(0.25, abs=0.02)
    initprobe.initialize(model, "recurrent_orthogonal", inputs=(4, 6))
    for gate in layer.weight_hh_l0.detach().chunk(4):
        assert float(torch.linalg.svdvals(gate).square().mean()) == pytest.approx(1.0, abs=1e-5)


def test_input_matrices_are_xaviers_per_gate(ks_distance):
    layer = nn.LSTM(40, 60, batch_first=True)
    outcome = initprobe.initialize(Sequence(layer), "recurrent_orthogonal", inputs=(4, 40))
    limit = (6 / 100) ** 0.5
    weight = layer.weight_ih_l0.detach()
    assert weight.abs().max() <= limit
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.cat([nn.init.xavier_uniform_(torch.empty(60, 40)) for _ in range(4)])
    n = weight.numel() / 2
    assert ks_distance(weight, theirs) < 1.95 / n**0.5  # passes by chance but once in a thousand
    declared = {one.weight: one.std for one in outcome.drawn}
    assert declared["layer.weight_ih_l0"] == pytest.approx((1 / 50) ** 0.5)


def test_the_forget_gate_is_open_once():
    layer = nn.LSTM(6, 16, num_layers=2, batch_first=True)
    initprobe.initialize(Sequence(layer), "recurrent_orthogonal(forget_bias=2)", inputs=(4, 6))
    for level in (0, 1):
        bias = getattr(layer, f"bias_ih_l{level}").detach() + getattr(layer, f"bias_hh_l{level}").detach()
        assert bias.eq(torch.tensor([0.0, 2.0, 0.0, 0.0]).repeat_interleave(16)).all()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projected_state_is_semi_orthogonal():
    layer = nn.LSTM(6, 16, proj_size=4, batch_first=True)
    initprobe.initialize(Sequence(layer), "recurrent_orthogonal", inputs=(4, 6))
    for gate in layer.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate.T @ gate, torch.eye(4), atol=1e-6, rtol=0)


def test_a_layer_that_the_pass_does_not_run_gets_its_gates_too():
    class Spare(Sequence):
        def __init__(self):
            super().__init__(nn.GRU(6, 16, batch_first=True))
            self.spare = nn.LSTM(6, 16)

    model = Spare()
    initprobe.initialize(model, "recurrent_orthogonal", inputs=(4, 6))
    for gate in model.spare.weight_hh_l0.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-6, rtol=0)
    assert model.spare.bias_ih_l0[16:32].eq(1).all()
    assert model.layer.bias_ih_l0.eq(0).all()


def test_a_network_without_recurrence_is_refused():
    with pytest.raises(UsageError, match="this network has none"):
        initprobe.initialize(nn.Sequential(nn.Linear(4, 4)), "recurrent_orthogonal", inputs=(4,))
