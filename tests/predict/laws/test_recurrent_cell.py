"""Cells that are called step by step, as they are measured and as theory has them."""

import math
from statistics import median

import pytest
import torch
from torch import nn

from tests.predict.laws.measuring import errors, measured_and_predicted

STEPS, WIDTH = 25, 128


class Unrolled(nn.Module):
    def __init__(self, cell, prepare=lambda cell: None):
        super().__init__()
        self.cell = cell
        prepare(cell)

    def forward(self, x):
        hidden = x.new_zeros(x.shape[0], self.cell.hidden_size)
        memory = hidden
        for step in range(x.shape[1]):
            if isinstance(self.cell, nn.LSTMCell):
                hidden, memory = self.cell(x[:, step], (hidden, memory))
            else:
                hidden = self.cell(x[:, step], hidden)
        return hidden


def unrolled(kind, steps=STEPS, width=WIDTH, *, scheme=None, prepare=lambda cell: None, **options):
    return measured_and_predicted(
        lambda: Unrolled(kind(width, width, **options), prepare), torch.randn(16, steps, width), scheme=scheme
    )


@pytest.mark.parametrize("scheme", [None, "recurrent_orthogonal"])
@pytest.mark.parametrize(
    ("kind", "options"), [(nn.LSTMCell, {}), (nn.GRUCell, {}), (nn.RNNCell, {}), (nn.RNNCell, {"nonlinearity": "relu"})]
)
def test_signals_and_gradients_of_every_step_are_those_of_theory(kind, options, scheme):
    torch.manual_seed(0)
    forward, backward = unrolled(kind, scheme=scheme, **options)
    assert len(errors(forward)) == len(forward)
    assert median(errors(forward).values()) < 0.05
    assert median(errors(forward, "local").values()) < 0.05
    # Finite width moves the rate per step by about 1 / √width, and twenty steps add that up.
    assert median(errors(backward).values()) < 0.2
    assert median(errors(backward, "local").values()) < 0.05


def with_forget_bias(value):
    def prepare(cell):
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.zero_()
            size = cell.hidden_size
            cell.bias_ih[:size] = -40.0
            cell.bias_ih[size : 2 * size] = value

    return prepare


def test_an_open_forget_gate_hands_the_gradient_on_whole():
    _, backward = unrolled(nn.LSTMCell, 5, 8, prepare=with_forget_bias(40.0))
    last = backward["cell#5[1]"]
    for key in ("cell#2[1]", "cell#3[1]", "cell#4[1]"):
        shown, told = backward[key]
        assert told.accumulated == pytest.approx(last[1].accumulated, rel=1e-9)
        assert shown == pytest.approx(last[0], rel=1e-5)


def test_a_cell_of_zeros_is_silent():
    forward, _ = unrolled(nn.GRUCell, 4, 8, prepare=lambda cell: [nn.init.zeros_(one) for one in cell.parameters()])
    assert {told.accumulated for _, told in forward.values()} == {0.0}


def test_the_forget_bias_is_read_off_its_own_gate():
    def prepare(cell):
        cell.bias_ih.data.zero_()
        cell.bias_hh.data.zero_()
        cell.bias_ih.data[WIDTH : 2 * WIDTH] = 3.0

    torch.manual_seed(0)
    forward, backward = unrolled(nn.LSTMCell, prepare=prepare)
    assert median(errors(forward).values()) < 0.1
    assert median(errors(backward).values()) < 0.1


def test_gradients_of_1e_40_are_predicted_as_such():
    torch.manual_seed(0)
    _, backward = unrolled(nn.GRUCell, 150, 32)
    shown, told = backward["cell"]
    assert math.log10(told.accumulated) == pytest.approx(math.log10(shown), abs=4.0)
    assert math.log10(shown) < -25.0


def test_an_identity_is_no_random_matrix():
    forward, _ = unrolled(nn.RNNCell, 3, 32, scheme="irnn", nonlinearity="relu")
    assert all(told.accumulated is None for _, told in forward.values())
    assert "multiple of the identity" in forward["cell"][1].why
