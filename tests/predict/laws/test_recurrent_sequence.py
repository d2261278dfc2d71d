"""nn.LSTM, nn.GRU and nn.RNN over whole sequences, as they are measured and as theory has them."""

import pytest
import torch
from torch import nn

from tests.predict.laws.measuring import errors, measured_and_predicted

STEPS, WIDTH = 20, 96


class Reader(nn.Module):
    """A recurrent layer between two linear ones, which show the gradient at its input and what follows its output."""

    def __init__(self, rnn, read):
        super().__init__()
        self.before = nn.Linear(rnn.input_size, rnn.input_size)
        self.rnn = rnn
        self.read = read

    def forward(self, x):
        return self.read(*self.rnn(self.before(x)))


READ = {
    "every step": lambda out, last: out,
    "the last step": lambda out, last: out[:, -1],
    "the mean": lambda out, last: out.mean(1),
    "the last state": lambda out, last: (last[0] if isinstance(last, tuple) else last)[-1],
}


def sequence(kind, read, *, scheme=None, **options):
    torch.manual_seed(0)
    return measured_and_predicted(
        lambda: Reader(kind(WIDTH, WIDTH, batch_first=True, **options), READ[read]),
        torch.randn(16, STEPS, WIDTH),
        scheme=scheme,
    )


def within(found, tolerance):
    assert found
    assert max(errors(found).values()) < tolerance
    assert max(errors(found, "local").values()) < tolerance


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_one_layer(kind, read):
    forward, backward = sequence(kind, read)
    within(forward, 0.1)
    within(backward, 0.1)


@pytest.mark.parametrize("scheme", [None, "kaiming_normal", "recurrent_orthogonal"])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_two_layers_in_both_directions(kind, scheme):
    forward, backward = sequence(kind, "every step", scheme=scheme, num_layers=2, bidirectional=True)
    within(forward, 0.12)
    # At any width (256 measured) a GRU of gates driven by ±1.6 hands 12 % less back: its gates are alike in time.
    within(backward, 0.12 if kind is nn.LSTM else 0.15)


def test_the_last_state_of_each_layer_has_a_size_of_its_own():
    torch.manual_seed(0)

    def read(out, last):
        return last[0][-1] * 1.0, last[0][0] * 1.0

    class Named(Reader):
        def __init__(self):
            super().__init__(nn.LSTM(WIDTH, WIDTH, 2, batch_first=True), read)
            self.upper, self.lower = nn.Linear(WIDTH, 512, bias=False), nn.Linear(WIDTH, 512, bias=False)

        def forward(self, x):
            upper, lower = super().forward(x)
            return self.upper(upper), self.lower(lower)

    forward, backward = measured_and_predicted(Named, torch.randn(16, STEPS, WIDTH))
    within(forward, 0.1)
    within(backward, 0.1)
    assert forward["lower"][0] > 1.3 * forward["upper"][0]


def test_both_directions_are_read_where_they_end():
    torch.manual_seed(0)

    def read(out, last):
        there, back = out.chunk(2, dim=-1)
        return torch.cat([there[:, -1], back[:, 0]], dim=-1)

    _, backward = measured_and_predicted(
        lambda: Reader(nn.GRU(WIDTH, WIDTH, batch_first=True, bidirectional=True), read),
        torch.randn(16, STEPS, WIDTH),
    )
    within(backward, 0.1)


def test_a_layer_of_zeros_is_silent():
    def build():
        reader = Reader(nn.LSTM(4, 4, batch_first=True), READ["every step"])
        for parameter in reader.rnn.parameters():
            nn.init.zeros_(parameter)
        return reader

    forward, backward = measured_and_predicted(build, torch.randn(4, 3, 4))
    assert forward["rnn[0]"][1].accumulated == 0.0
    assert backward["before"][1].accumulated == 0.0


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_projected_state_has_no_law():
    forward, _ = measured_and_predicted(
        lambda: Reader(nn.LSTM(8, 8, proj_size=4, batch_first=True), READ["every step"]), torch.randn(4, 3, 8)
    )
    assert "projects its hidden state" in forward["rnn[0]"][1].why
