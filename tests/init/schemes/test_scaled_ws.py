import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.parametrizations.reparametrize import reparametrize
from initprobe.records import Outcome

GAIN = 1 / math.sqrt(0.5 - 0.5 / math.pi)


class ScaledRelu(nn.Module):
    def forward(self, x):
        return torch.relu(x) * GAIN


def drawn(*, standardized: bool) -> tuple[nn.Sequential, Outcome]:
    layers = [nn.Conv2d(3, 32, 3, bias=False), ScaledRelu(), nn.Conv2d(32, 48, 3, groups=2, bias=False)]
    model = nn.Sequential(*layers, ScaledRelu(), nn.ConvTranspose2d(48, 32, 4, stride=2, groups=2, bias=False))
    if standardized:
        reparametrize(model, "weight_standardization")
    return model, ip.initialize(model, "scaled_ws", inputs=(3, 10, 10))


@pytest.mark.parametrize("standardized", [True, False])
def test_filters_have_mean_zero_and_norm_one(standardized):
    model, _ = drawn(standardized=standardized)
    for layer in (model[0], model[2]):
        rows = layer.weight.detach().flatten(1)
        assert rows.mean(1).abs().max() < 1e-6
        torch.testing.assert_close(rows.square().sum(1), torch.ones(len(rows)))


def test_what_is_stored_is_normal_with_one_over_the_fan():
    model, outcome = drawn(standardized=True)
    stored = model[2].parametrizations.weight.original.detach()
    told = next(one for one in outcome.drawn if one.weight == "2.parametrizations.weight.original")
    assert told.std == pytest.approx(1 / math.sqrt(16 * 9))
    assert told.note is None
    assert float(stored.std()) == pytest.approx(told.std, rel=4 / math.sqrt(2 * stored.numel()))
    assert stored.flatten(1).mean(1).abs().max() > 1e-3


def test_plain_layers_start_where_standardized_ones_are():
    plain, outcome = drawn(standardized=False)
    standardized, _ = drawn(standardized=True)
    for index in (0, 2, 4):
        torch.testing.assert_close(plain[index].weight, standardized[index].weight, rtol=1e-4, atol=1e-6)
    assert all("at the start only" in one.note for one in outcome.drawn)


@pytest.mark.parametrize("standardized", [True, False])
def test_a_deep_network_keeps_its_variance_whatever_the_means(standardized):
    torch.manual_seed(0)
    layers = [layer for _ in range(20) for layer in (nn.Linear(256, 256), ScaledRelu())]
    model = nn.Sequential(*layers)
    if standardized:
        reparametrize(model, "weight_standardization")
    variances = []
    for seed in range(4):
        ip.initialize(model, "scaled_ws", inputs=(256,), seed=seed)
        with torch.no_grad():
            variances.append(float(model[:-1](torch.randn(512, 256)).var()))
    # A product of 20 factors of relative spread about √(5/256) each, four times.
    assert sum(variances) / 4 == pytest.approx(1.0, abs=0.5)


def test_the_first_layer_keeps_variance_one_to_a_percent():
    torch.manual_seed(0)
    model = nn.Sequential(ScaledRelu(), nn.Linear(512, 512))
    ip.initialize(model, "scaled_ws", inputs=(512,))
    assert float(model(torch.randn(512, 512)).detach().var()) == pytest.approx(1.0, rel=0.02)


def test_filters_of_one_weight_are_left_with_the_reason():
    model = nn.Sequential(nn.Conv2d(4, 4, 1, groups=4), nn.Conv2d(4, 8, 3))
    outcome = ip.initialize(model, "scaled_ws", inputs=(4, 5, 5))
    told = next(one for one in outcome.skipped if one.weight == "0.weight")
    assert told.reason == "a filter of one weight has no variance to standardize"


def test_layers_that_standardize_in_their_own_code_see_the_same():
    layers = pytest.importorskip("timm.layers")
    theirs, ours = (
        nn.Sequential(kind(8, 16, 3, padding=0, bias=False), nn.ReLU(), nn.Conv2d(16, 4, 3))
        for kind in (layers.ScaledStdConv2d, nn.Conv2d)
    )
    for model in (theirs, ours):
        ip.initialize(model, "scaled_ws", inputs=(8, 9, 9))
    x = torch.randn(4, 8, 9, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(theirs(x), ours(x), rtol=1e-4, atol=1e-4)
    assert theirs[0].gain.eq(1).all()
