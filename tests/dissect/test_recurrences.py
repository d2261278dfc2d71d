"""Which call sites are the steps of one recurrence: cells in a loop, and loops that are written by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.dissect.networks import anatomy_of, streams
from tests.zoo.odd_models import Drawn

STEPS = 5
INPUTS = Drawn(((STEPS, 4),))


class Looped(nn.Module):
    """A module of states and inputs, called once a step; the first state is zero."""

    def __init__(self, *layers, step, size=8):
        super().__init__()
        self.layers, self.step, self.size = nn.ModuleList(layers), step, size

    def forward(self, x):
        state = x.new_zeros(x.shape[0], self.size)
        for place in range(x.shape[1]):
            state = self.step(self.layers, x[:, place], state)
        return state


def plain(layers, x, h):
    return torch.tanh(layers[0](x) + layers[1](h))


def one_product(layers, x, h):
    return torch.tanh(layers[0](torch.cat([x, h], dim=1)))


def gated(layers, x, h):
    reset, update = (torch.sigmoid(layer(torch.cat([x, h], dim=1))) for layer in layers[:2])
    new = torch.tanh(layers[2](x) + layers[3](reset * h))
    return new + update * (h - new)


def normalized(layers, x, h):
    return torch.tanh(layers[0](x) + layers[2](layers[1](h)))


def leaky(layers, x, h):
    return h + 0.1 * plain(layers, x, h)


def calls(name, many=STEPS, suffix=""):
    return tuple(name + (f"#{n}" if n > 1 else "") + suffix for n in range(1, many + 1))


def linears(*sizes):
    return [nn.Linear(*size) for size in sizes]


@pytest.mark.parametrize(
    ("model", "site"),
    [
        (Looped(*linears((4, 8), (8, 8)), step=plain), "layers.1"),
        (Looped(*linears((12, 8)), step=one_product), "layers.0"),
        (Looped(*linears((12, 8), (12, 8), (4, 8), (8, 8)), step=gated), "layers.0"),
        (Looped(nn.Linear(4, 8), nn.utils.parametrizations.weight_norm(nn.Linear(8, 8)), step=plain), "layers.1"),
        (Looped(nn.GRUCell(4, 8), step=lambda cells, x, h: cells[0](x, h)), "layers.0"),
    ],
    ids=["by hand", "one matrix for input and state", "gates by hand", "weight norm", "GRU cell"],
)
def test_a_recurrence_is_one_stream(model, site):
    assert streams(anatomy_of(model, INPUTS), "recurrent") == [calls(site)]


class Stacked(nn.Module):
    """Two cells, the second on what the first one puts out."""

    def __init__(self):
        super().__init__()
        self.low, self.high, self.head = nn.LSTMCell(4, 8), nn.LSTMCell(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        low = high = None
        found = []
        for place in range(x.shape[1]):
            low = self.low(x[:, place], low)
            high = self.high(low[0], high)
            found.append(self.head(high[0]))
        return torch.stack(found)


def test_each_cell_of_a_stack_is_a_stream_of_its_memory_and_a_head_at_every_step_is_none():
    anatomy = anatomy_of(Stacked(), INPUTS)
    assert streams(anatomy, "recurrent") == [calls("low", suffix="[1]"), calls("high", suffix="[1]")]
    assert not any("head" in site for stream in anatomy.streams for site in stream.sites)


class Layer(nn.Module):
    """One of torch's recurrent layers, called once a step."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 8, batch_first=True)

    def forward(self, x):
        state = None
        for place in range(x.shape[1]):
            out, state = self.layer(x[:, place : place + 1], state)
        return out


@pytest.mark.parametrize(("kind", "suffix"), [(nn.LSTM, "[1][1]"), (nn.GRU, "[1]"), (nn.RNN, "[1]")])
def test_a_layer_in_a_loop_is_followed_by_its_last_state(kind, suffix):
    assert streams(anatomy_of(Layer(kind), INPUTS), "recurrent") == [calls("layer", suffix=suffix)]


def test_a_layer_that_runs_all_steps_at_once_shows_none():
    assert streams(anatomy_of(nn.LSTM(4, 8, batch_first=True), INPUTS), "recurrent") == []


class Twins(nn.Module):
    """Two sequences through one cell, in turns."""

    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(4, 8)

    def forward(self, x):
        one = other = None
        for place in range(x.shape[1]):
            one, other = self.cell(x[:, place], one), self.cell(-x[:, place], other)
        return one - other


def test_two_sequences_in_turns_are_two_streams():
    every = calls("cell", 2 * STEPS)
    assert streams(anatomy_of(Twins(), INPUTS), "recurrent") == [every[::2], every[1::2]]


class Greedy(nn.Module):
    """A decoder that is fed the token that it has just chosen."""

    def __init__(self):
        super().__init__()
        self.tokens, self.cell, self.head = nn.Embedding(11, 4), nn.GRUCell(4, 8), nn.Linear(8, 11)

    def forward(self, x):
        state, token = None, x[:, 0, 0].long() % 11
        for _ in range(STEPS):
            state = self.cell(self.tokens(token), state)
            token = self.head(state).argmax(-1)
        return self.head(state)


def test_a_decoder_that_feeds_itself_is_one_recurrence():
    assert streams(anatomy_of(Greedy(), INPUTS), "recurrent") == [calls("cell")]


def test_a_normalization_ends_a_recurrence_unless_a_way_leads_around_it():
    every = Looped(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 8), step=normalized)
    assert streams(anatomy_of(every, INPUTS), "recurrent") == []
    assert streams(anatomy_of(Memory(), INPUTS), "recurrent") == [calls("cell", suffix="[1]")]


class Memory(nn.Module):
    """A cell whose hidden state is normalized, and whose memory is not."""

    def __init__(self):
        super().__init__()
        self.cell, self.norm = nn.LSTMCell(4, 8), nn.LayerNorm(8)

    def forward(self, x):
        hidden = memory = x.new_zeros(x.shape[0], 8)
        for place in range(x.shape[1]):
            hidden, memory = self.cell(x[:, place], (hidden, memory))
            hidden = self.norm(hidden)
        return hidden


def test_a_recurrence_over_residual_joins_is_their_stream():
    anatomy = anatomy_of(Looped(*linears((4, 8), (8, 8)), step=leaky), INPUTS)
    (stream,) = anatomy.streams
    assert stream.kind == "residual"
    assert len(stream.sites) == STEPS


class Deep(nn.Module):
    """A layer whose weight is shared over depth."""

    def __init__(self, skip):
        super().__init__()
        self.stem, self.layer, self.skip = nn.Linear(4, 8), nn.Linear(8, 8), skip

    def forward(self, x):
        x = self.stem(x[:, 0])
        for _ in range(STEPS):
            x = F.relu(self.layer(x)) + (x if self.skip else 0.0)
        return x


@pytest.mark.parametrize("skip", [False, True])
def test_a_weight_that_is_shared_over_depth_is_no_recurrence(skip):
    anatomy = anatomy_of(Deep(skip), INPUTS)
    assert anatomy.streams
    assert streams(anatomy, "recurrent") == []
