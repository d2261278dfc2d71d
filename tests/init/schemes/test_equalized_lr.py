import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.parametrizations.reparametrize import reparametrize


def generator(lr_mul: float = 0.01) -> nn.Sequential:
    """A mapping network and a synthesis layer, as StyleGAN has them."""
    model = nn.Sequential(
        nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 96)
    )
    reparametrize(model, "equalized", only=("0", "2"), lr_mul=lr_mul)
    return model


def test_unit_variance_is_stored_and_hes_is_seen():
    model = generator(lr_mul=1.0)
    outcome = ip.initialize(model, "equalized_lr", inputs=(64,))
    for layer, fan_in in ((model[0], 64), (model[2], 128)):
        stored = layer.parametrizations.weight.original.detach()
        error = 4 / math.sqrt(2 * stored.numel())
        assert float(stored.std()) == pytest.approx(1.0, rel=error)
        assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / fan_in), rel=error)
        assert layer.bias.eq(0).all()
    stored = [one for one in outcome.drawn if "original" in one.weight]
    assert [(one.std, one.learning_rate, one.note) for one in stored] == [(1.0, 1.0, None)] * 2
    told = next(one for one in outcome.skipped if one.weight == "4.weight")
    assert "not known to scale its weight" in told.reason


def test_a_learning_rate_multiplier_is_divided_out_and_told_for_biases():
    slow, usual = generator(0.01), generator(1.0)
    outcome = ip.initialize(slow, "stylegan", inputs=(64,))
    ip.initialize(usual, "equalized_lr", inputs=(64,))
    torch.testing.assert_close(slow[0].weight, usual[0].weight)
    assert float(slow[0].parametrizations.weight.original.detach().std()) == pytest.approx(100.0, rel=0.05)
    assert {one.std for one in outcome.drawn if "original" in one.weight} == {100.0}
    assert outcome.learning_rates == {"0.bias": 0.01, "2.bias": 0.01}


def test_it_is_hes_normal_by_another_way():
    ours, theirs = generator(), generator()
    ip.initialize(ours, "equalized_lr", inputs=(64,), seed=5)
    ip.initialize(theirs, "he", inputs=(64,), seed=5)
    torch.testing.assert_close(ours[0].weight, theirs[0].weight)
    torch.testing.assert_close(ours[2].weight, theirs[2].weight)


class OwnScale(nn.Linear):
    """A layer that divides by the root of its fan-in in its own code."""

    def forward(self, x):
        return nn.functional.linear(x, self.weight * (0.01 / math.sqrt(self.in_features)), self.bias)


def test_layers_that_scale_in_their_own_code_are_drawn_when_lr_mul_is_given():
    model = nn.Sequential(OwnScale(64, 64), nn.ReLU(), OwnScale(64, 64))
    outcome = ip.initialize(model, "equalized_lr(lr_mul=0.01)", inputs=(64,))
    assert float(model[0].weight.detach().std()) == pytest.approx(100.0, rel=0.05)
    assert outcome.drawn[0].std == pytest.approx(100.0)
    assert "taken to multiply" in outcome.drawn[0].note
    x = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
    assert float(model[0](x).detach().var()) == pytest.approx(1.0, rel=0.1)


def test_another_lr_mul_than_the_layers_is_told():
    model = generator(0.01)
    outcome = ip.initialize(model, "equalized_lr(lr_mul=1)", inputs=(64,))
    assert "multiplies by an lr_mul of 0.01, and 1 was asked for" in outcome.drawn[1].note


def test_a_network_that_scales_nothing_is_refused():
    model = nn.Sequential(nn.Linear(4, 4))
    before = model[0].weight.detach().clone()
    with pytest.raises(UsageError, match="needs layers that scale their weights") as error:
        ip.initialize(model, "equalized_lr", inputs=(4,))
    assert 'reparametrize(model, "equalized")' in error.value.hint
    assert torch.equal(model[0].weight, before)
