"""The forget gate of an LSTM is open at first."""

import math

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError


class Memory(nn.Module):
    """An LSTM."""

    def __init__(self, **options) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 32, batch_first=True, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lstm(x)[0]


def test_the_two_biases_sum_to_one_in_the_forget_gate_alone():
    model = Memory(num_layers=2, bidirectional=True)
    outcome = initprobe.initialize(model, "lstm_forget_bias", inputs=(4, 5))
    expected = torch.tensor([0.0, 1.0, 0.0, 0.0]).repeat_interleave(32)
    for ending in ("l0", "l0_reverse", "l1", "l1_reverse"):
        ours, theirs = (getattr(model.lstm, f"bias_{side}_{ending}").detach() for side in ("ih", "hh"))
        assert torch.equal(ours + theirs, expected)
        assert theirs.eq(0).all()
    declared = {one.weight: one.std for one in outcome.drawn}
    assert (declared["lstm.bias_ih_l0"], declared["lstm.bias_hh_l0"]) == (None, 0.0)


@pytest.mark.parametrize("bias", [0.0, 1.0, 3.0])
def test_a_cell_is_kept_by_sigmoid_of_the_bias_per_step(bias):
    model = Memory().double()
    initprobe.initialize(model, f"lstm_forget_bias(bias={bias})", inputs=(4, 5))
    with torch.no_grad():
        for name, weight in model.lstm.named_parameters():
            if name.startswith("weight"):
                weight.zero_()  # the gates by their biases alone
    cell = torch.ones(1, 1, 32, dtype=torch.float64)
    _, (_, kept) = model.lstm(torch.zeros(1, 10, 5, dtype=torch.float64), (torch.zeros_like(cell), cell))
    torch.testing.assert_close(kept, torch.full_like(kept, (1 / (1 + math.exp(-bias))) ** 10))


def test_only_biases_on_demand():
    model = Memory()
    before = model.lstm.weight_hh_l0.detach().clone()
    initprobe.initialize(model, "lstm_forget_bias", inputs=(4, 5), only="*.bias_*")
    assert torch.equal(model.lstm.weight_hh_l0, before)
    assert model.lstm.bias_ih_l0[32:64].eq(1).all()


@pytest.mark.parametrize("layer", [nn.GRU(5, 8, batch_first=True), nn.LSTM(5, 8, bias=False, batch_first=True)])
def test_without_a_forget_gate_that_has_a_bias_it_is_refused(layer):
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[0]

    with pytest.raises(UsageError, match="this network has no such bias"):
        initprobe.initialize(Other(), "lstm_forget_bias", inputs=(4, 5))
