"""A fixed number of incoming weights per unit."""

import pytest
import torch
from torch import nn

import initprobe


def drawn(model, scheme, shape):
    outcome = initprobe.initialize(model, scheme, inputs=shape)
    return {one.weight: one for one in outcome.drawn}


@pytest.mark.parametrize("width", [8, 64, 512])
def test_every_unit_has_exactly_that_many(width):
    model = nn.Sequential(nn.Linear(width, 100))
    drawn(model, "sparse", (width,))
    assert (model[0].weight != 0).sum(1).eq(min(15, width)).all()


def test_places_and_numbers_are_as_drawn_at_random():
    model = nn.Sequential(nn.Linear(60, 2000))
    drawn(model, "sparse(k=6)", (60,))
    weight = model[0].weight.detach()
    used = (weight != 0).float().mean(0)  # of 2000 units a tenth: standard error √(0.09 / 2000) = 0.0067
    assert (used - 0.1).abs().max() < 4 * 0.0067
    numbers = weight[weight != 0]
    assert float(numbers.std()) == pytest.approx(1.0, abs=4 / (2 * numbers.numel()) ** 0.5)
    assert abs(float(numbers.mean())) < 4 / numbers.numel() ** 0.5


@pytest.mark.parametrize("width", [32, 2048])
def test_the_variance_of_a_units_input_does_not_know_the_width(width):
    model = nn.Sequential(nn.Linear(width, 400))
    drawn(model, "sparse", (width,))
    out = model(torch.randn(400, width, generator=torch.Generator().manual_seed(0)))
    # The mean over 400 units of a sum of 15 squares: relative standard error √(2 / 15 / 400) = 1.8 %.
    assert float(out.detach().square().mean()) == pytest.approx(15.0, rel=0.08)


def test_a_tanh_gets_small_weights_and_a_bias():
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 10))
    drawn(model, "sparse", (64,))
    assert model[0].bias.eq(0.5).all()
    assert model[2].bias.eq(0).all()
    assert model[4].bias.eq(0).all()
    weights = [layer.weight.detach() for layer in (model[0], model[2])]
    small, large = (weight[weight != 0].std() for weight in weights)
    assert float(small / large) == pytest.approx(0.25, rel=0.15)


def test_options_win_over_habits():
    model = nn.Sequential(nn.Linear(64, 64), nn.Tanh())
    drawn(model, "sparse(k=3, std=0.1, bias=0.2)", (64,))
    assert model[0].bias.detach().eq(torch.tensor(0.2)).all()
    assert (model[0].weight != 0).sum(1).eq(3).all()
    assert model[0].weight.abs().max() < 0.6


def test_convolutions_and_gates_count_per_unit():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(8, 12, 5, groups=2)
            self.up = nn.ConvTranspose1d(12, 16, 4, stride=2)
            self.lstm = nn.LSTM(16, 24, batch_first=True)

        def forward(self, x):
            return self.lstm(self.up(self.conv(x)).mT)[0]

    model = Mixed()
    told = drawn(model, "sparse", (8, 12))
    assert (model.conv.weight != 0).sum((1, 2)).eq(15).all()
    assert (model.up.weight != 0).sum((0, 2)).eq(15).all()
    assert (model.lstm.weight_hh_l0 != 0).sum(1).eq(15).all()
    assert model.lstm.bias_ih_l0.eq(0).all()
    assert "only some of the k taps" in told["up.weight"].note
    assert told["conv.weight"].note is None


def test_torchs_sparse_is_something_else():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = nn.init.sparse_(torch.empty(100, 40), 0.9)
    assert len(set((theirs != 0).sum(1).tolist())) > 1
