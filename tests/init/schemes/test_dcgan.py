"""The start of DCGAN, against the function that the examples of torch apply."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip


def generator() -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(16, 64, 4, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def theirs(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def test_it_is_what_the_examples_of_torch_draw(ks_distance):
    own, reference = generator(), generator()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference.apply(theirs)
    with torch.no_grad():  # what training left there goes
        own[1].bias.fill_(3.0)
    outcome = ip.initialize(own, "dcgan", inputs=(16, 1, 1))
    stds = {one.weight: one.std for one in outcome.drawn}
    for name in ("0.weight", "1.weight", "3.weight", "4.weight", "6.weight"):
        ours, other = own.get_parameter(name).detach(), reference.get_parameter(name).detach()
        assert stds[name] == 0.02
        assert ks_distance(ours, other) < 1.95 * math.sqrt(2 / ours.numel()), name
    assert float(own[1].weight.detach().mean()) == pytest.approx(1.0, abs=4 * 0.02 / 8)
    assert float(own[1].weight.detach().std()) == pytest.approx(0.02, rel=4 / math.sqrt(128))
    for bias in (own[1].bias, own[3].bias, own[4].bias, own[6].bias):
        assert bias.eq(0).all()


def test_other_normalizations_are_left():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True), nn.Flatten(), nn.Linear(8 * 16, 40))
    outcome = ip.initialize(model, "dcgan(std=0.05)", inputs=(3, 6, 6))
    assert model[1].weight.eq(1).all()
    assert {one.weight for one in outcome.skipped} == {"1.weight", "1.bias"}
    assert float(model[3].weight.detach().std()) == pytest.approx(0.05, rel=0.05)


def test_it_keeps_a_variance_at_one_fan_in_alone():
    model = nn.Sequential(nn.Linear(5000, 200), nn.ReLU(), nn.Linear(200, 100))
    ip.initialize(model, "dcgan", inputs=(5000,))
    rectified = torch.relu(torch.randn(64, 5000, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        assert float(model[0](rectified).var()) == pytest.approx(1.0, rel=0.05)
