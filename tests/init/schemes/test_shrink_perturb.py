"""A trained network pulled towards zero, with a little of a fresh one added."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe
from initprobe.errors import UsageError


def trained() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.BatchNorm1d(96), nn.Linear(96, 10))


def test_every_parameter_is_the_mixture_of_old_and_fresh():
    model = trained()
    nn.init.constant_(model[2].weight, 3.0)
    fresh = copy.deepcopy(model)
    initprobe.initialize(fresh, "torch_default", inputs=(64,), seed=5)
    before = copy.deepcopy(model)
    outcome = initprobe.initialize(model, "shrink_perturb", inputs=(64,), seed=5)
    assert not outcome.skipped
    for name, now in model.named_parameters():
        expected = 0.4 * before.get_parameter(name) + 0.1 * fresh.get_parameter(name)
        torch.testing.assert_close(now, expected, rtol=1e-6, atol=1e-7)
    assert all(one.std is None for one in outcome.drawn)


def test_variances_add():
    model = trained()
    old = float(model[0].weight.detach().var())
    initprobe.initialize(model, "shrink_perturb(shrink=0.6, perturb=0.5, fresh='kaiming_normal')", inputs=(64,))
    # 6144 weights: the variance of a sum of independent numbers is known to 4 · √(2 / 6144) = 7 %.
    assert float(model[0].weight.detach().var()) == pytest.approx(0.36 * old + 0.25 * 2 / 64, rel=0.07)


def test_shrinking_alone_keeps_every_decision_of_a_relu_network_without_biases():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 50, bias=False), nn.ReLU(), nn.Linear(50, 10, bias=False)).double()
    x = torch.randn(200, 20, dtype=torch.float64)
    before = model(x)
    initprobe.initialize(model, "shrink_perturb(perturb=0)", inputs=(20,))
    torch.testing.assert_close(model(x), 0.4**2 * before)
    assert torch.equal(model(x).argmax(1), before.argmax(1))


def test_what_the_fresh_scheme_keeps_is_kept():
    model = trained()
    nn.init.constant_(model[0].bias, 2.0)
    before = copy.deepcopy(model)
    outcome = initprobe.initialize(model, "shrink_perturb(fresh=kaiming_normal)", inputs=(64,))
    assert {one.weight for one in outcome.skipped} == {"2.weight", "2.bias"}
    assert torch.equal(model[2].weight, before[2].weight)
    torch.testing.assert_close(model[0].bias, torch.full((96,), 0.8))


def test_packed_and_parametrized_weights_are_mixed_as_the_layer_sees_them():
    torch.manual_seed(0)
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 8)))
    before = model[0].weight.detach().clone()
    outcome = initprobe.initialize(model, "shrink_perturb(perturb=0)", inputs=(8,))
    torch.testing.assert_close(model[0].weight, 0.4 * before)
    assert "0.parametrizations.weight.original1" in {one.weight for one in outcome.drawn}
    lstm = nn.LSTM(6, 5)
    before = lstm.weight_hh_l0.detach().clone()
    initprobe.initialize(lstm, "shrink_perturb(perturb=0, fresh=orthogonal)", inputs=(3, 6))
    torch.testing.assert_close(lstm.weight_hh_l0, 0.4 * before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("fresh=keiming", "unknown scheme 'keiming'"),
        ("fresh=shrink_perturb", "starts from weights that are there"),
        ("shrink=1.5", "it takes number >= 0 and <= 1"),
        ("perturb=-1", "it takes number >= 0"),
    ],
)
def test_mistakes_are_told(options, message):
    with pytest.raises(UsageError, match=message):
        initprobe.initialize(trained(), f"shrink_perturb({options})", inputs=(64,))
