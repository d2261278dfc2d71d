"""The state of a recurrent layer of rectifiers stays what it is, and so does its gradient."""

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError


class Network(nn.Module):
    """A recurrent layer and a readout."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(24, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x)[0])


def test_the_state_and_its_gradient_outlast_784_steps():
    model = Network(nn.RNN(4, 24, nonlinearity="relu", batch_first=True))
    outcome = initprobe.initialize(model, "irnn", inputs=(6, 4))
    state = torch.rand(1, 2, 24, requires_grad=True)
    _, last = model.layer(torch.zeros(2, 784, 4), state)
    torch.testing.assert_close(last, state)
    (gradient,) = torch.autograd.grad(last.sum(), state)
    torch.testing.assert_close(gradient, torch.ones_like(gradient))
    assert all(one.note is None for one in outcome.drawn)
    for weight in (model.layer.weight_ih_l0, model.head.weight):
        assert float(weight.detach().std()) == pytest.approx(0.001, rel=0.3)


def test_torchs_own_draw_forgets_within_50_steps():
    torch.manual_seed(0)
    layer = nn.RNN(4, 24, batch_first=True)
    state = torch.rand(1, 2, 24, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(torch.zeros(2, 50, 4), state)[1].sum(), state)
    assert gradient.abs().max() < 1e-8


def test_the_scale_of_the_identity():
    model = Network(nn.RNN(4, 24, nonlinearity="relu", batch_first=True))
    initprobe.initialize(model, "irnn(scale=0.01, std=0.1)", inputs=(6, 4))
    assert torch.equal(model.layer.weight_hh_l0.detach(), 0.01 * torch.eye(24))


@pytest.mark.parametrize(
    ("layer", "note"),
    [
        (nn.RNN(4, 24, batch_first=True), "tanh"),
        (nn.GRU(4, 24, batch_first=True), "stands before a gate"),
        (nn.LSTM(4, 32, proj_size=24, batch_first=True), "stands before a gate"),
    ],
)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_what_the_paper_is_not_about_is_told(layer, note):
    outcome = initprobe.initialize(Network(layer), "irnn", inputs=(6, 4))
    assert note in next(one.note for one in outcome.drawn if one.weight == "layer.weight_hh_l0")


def test_a_network_without_recurrence_is_refused():
    with pytest.raises(UsageError, match="this network has none"):
        initprobe.initialize(nn.Sequential(nn.Linear(4, 4)), "irnn", inputs=(4,))
