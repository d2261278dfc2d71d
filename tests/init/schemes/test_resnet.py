"""The start of torchvision's ResNets, against torchvision itself."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.schemes.residual_networks import Branch

torchvision = pytest.importorskip("torchvision")
IMAGE = (3, 32, 32)


def theirs(name: str, **options) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return getattr(torchvision.models, name)(weights=None, num_classes=200, **options)


def test_every_layer_has_the_distribution_of_torchvisions(ks_distance):
    own, reference = theirs("resnet18"), theirs("resnet18")
    ip.initialize(own, "he_fanout_resnet", inputs=IMAGE, seed=7)
    for name, parameter in own.named_parameters():
        other, n = reference.get_parameter(name).detach(), parameter.numel()
        assert not torch.equal(parameter, other) or "bn" in name or "downsample.1" in name
        if n >= 1000:
            assert float(parameter.detach().std()) == pytest.approx(float(other.std()), rel=6 / math.sqrt(2 * n)), name
        if name in {"conv1.weight", "layer2.0.downsample.0.weight", "fc.weight", "fc.bias"}:
            assert ks_distance(parameter.detach(), other) < 1.95 * math.sqrt(2 / n), name


def test_zero_init_residual_zeroes_what_torchvision_zeroes():
    own, reference = theirs("resnet18"), theirs("resnet18", zero_init_residual=True)
    ip.initialize(own, "he_fanout_resnet(zero_init_residual=True)", inputs=IMAGE)
    zero, expected = ({name for name, one in model.named_parameters() if not one.any()} for model in (own, reference))
    assert zero == expected
    ones = {name for name, one in reference.named_parameters() if one.eq(1).all()}
    assert all(own.get_parameter(name).eq(1).all() for name in ones)


@pytest.mark.parametrize("branch", [True, False])
def test_branches_that_cannot_start_at_zero_are_told(branch):
    model = nn.Sequential(nn.Linear(8, 8), Branch(8) if branch else nn.ReLU(), nn.Linear(8, 3))
    assert ip.initialize(model, "he_fanout_resnet", inputs=(8,)).notes == ()
    (note,) = ip.initialize(model, "he_fanout_resnet(zero_init_residual=True)", inputs=(8,)).notes
    assert ("1 of 1 residual branches end in no" if branch else "there is no branch") in note


def test_filters_in_groups_count_the_channels_of_their_group():
    model = theirs("resnext50_32x4d")
    # torchvision's own are √32 too small for what their fan-out really is.
    plain = math.sqrt(2 / (128 * 9))
    assert float(model.layer1[0].conv2.weight.detach().std()) == pytest.approx(plain, rel=0.05)
    for scheme, std in (("resnet", plain * math.sqrt(32)), ("resnet(grouped=False)", plain)):
        outcome = ip.initialize(model, scheme, inputs=IMAGE)
        assert next(one.std for one in outcome.drawn if one.weight == "layer1.0.conv2.weight") == pytest.approx(std)


def test_convolutions_without_a_module_take_the_traced_fan():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(16, 2, 3, 3))

        def forward(self, x):
            return nn.functional.conv2d(x, self.weight, groups=4)

    outcome = ip.initialize(Functional(), "he_fanout_resnet", inputs=(8, 6, 6))
    assert outcome.drawn[0].std == pytest.approx(math.sqrt(2 / (16 / 4 * 9)))
