"""The start of Google's EfficientNet, against timm's."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip


def test_stds_of_every_kind_of_layer():
    model = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2), nn.SiLU(), nn.Conv2d(24, 48, 5, groups=24), nn.Conv2d(48, 32, 1, groups=4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 50),
    )  # fmt: skip
    outcome = ip.initialize(model, "efficientnet_goog", inputs=(3, 16, 16))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["0.weight"] == pytest.approx(math.sqrt(2 / (24 * 9)))
    assert stds["2.weight"] == pytest.approx(math.sqrt(2 / (2 * 25)))
    assert stds["3.weight"] == pytest.approx(math.sqrt(2 / (32 / 4)))
    assert stds["6.weight"] == pytest.approx(1 / math.sqrt(3 * 50))
    assert model[6].weight.abs().max() <= 1 / math.sqrt(50)
    assert model[6].bias.eq(0).all()
    outcome = ip.initialize(model, "goog(grouped=False)", inputs=(3, 16, 16))
    assert next(one.std for one in outcome.drawn if one.weight == "2.weight") == pytest.approx(math.sqrt(2 / (48 * 25)))


def test_the_routing_of_experts_counts_both_fans():
    model = nn.Sequential()
    model.add_module("routing_fn", nn.Linear(40, 8))
    outcome = ip.initialize(model, "efficientnet_goog", inputs=(40,))
    assert outcome.drawn[0].std == pytest.approx(1 / math.sqrt(3 * 48))


def test_every_layer_has_the_distribution_of_timms(ks_distance):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own, reference = (timm.create_model("efficientnet_lite0", num_classes=100) for _ in range(2))
    ip.initialize(own, "efficientnet_goog", inputs=(3, 32, 32), seed=5)
    for name, parameter in own.named_parameters():
        other, n = reference.get_parameter(name).detach(), parameter.numel()
        if parameter.dim() > 1 and n >= 300:
            assert float(parameter.detach().std()) == pytest.approx(float(other.std()), rel=6 / math.sqrt(2 * n)), name
        if name in {"conv_stem.weight", "blocks.1.0.conv_dw.weight", "classifier.weight"}:
            assert ks_distance(parameter.detach(), other) < 1.95 * math.sqrt(2 / n), name
