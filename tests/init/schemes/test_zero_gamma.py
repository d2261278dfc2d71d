"""Branches that start at zero, by their last normalization or by their last weights."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.networks import CASES
from tests.init.schemes.residual_networks import Branch, Chain, PostActivation

SCHEMES = ["zero_gamma", "zero_init_residual", "he_fanout_resnet(zero_init_residual=True)"]


def images() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), PostActivation(8), PostActivation(8, project=True), PostActivation(8))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("training", [True, False])
def test_a_block_is_the_rectifier_of_its_shortcut(scheme, training):
    model = images().train(training)
    with torch.no_grad():  # what training left there goes
        for block in model[1:]:
            block.bn2.bias.fill_(0.3)
    ip.initialize(model, scheme, inputs=(3, 8, 8))
    x = model[0](torch.randn(4, 3, 8, 8))
    for block in model[1:]:
        y = block(x)
        assert torch.equal(y, torch.relu(block.shortcut(x)))
        x = y
    assert model[2].shortcut[1].weight.eq(1).all()
    assert model[1].bn1.weight.eq(1).all()


def test_weights_stay_random_in_front_of_a_zero_scale():
    model = images()
    outcome = ip.initialize(model, "zero_init_residual", inputs=(3, 8, 8))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["1.conv2.weight"] == pytest.approx(math.sqrt(2 / 72))
    assert stds["1.bn2.weight"] == 0.0
    skipped = {one.weight for one in outcome.skipped}
    assert {"1.bn1.weight", "1.bn1.bias", "2.shortcut.1.weight"} <= skipped


@pytest.mark.parametrize("case", ["prenorm", "normless"])
def test_without_a_normalization_at_the_end_the_last_weights_are_zero(case):
    model = CASES[case].build()
    outcome = ip.initialize(model, "zero_init_residual", inputs=CASES[case].inputs)
    zero = {one.weight for one in outcome.drawn if one.std == 0.0 and one.weight.endswith("weight")}
    assert zero == {f"blocks.{i}.{name}.weight" for i in (0, 1) for name in ("attention.out_proj", "down")}
    signal = torch.randn(2, 6, 32)
    assert torch.equal(model.blocks(signal), signal)


@pytest.mark.parametrize("parallel", [False, True])
def test_every_last_weight_of_a_branch_is_zero(parallel):
    class Experts(nn.Module):
        """Two experts whose sum is one branch, or two branches that are added at once."""

        def __init__(self):
            super().__init__()
            self.up = nn.Linear(6, 6)
            self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)

        def forward(self, x):
            if parallel:
                return x + self.one(torch.relu(x)) + self.two(torch.tanh(x))
            hidden = torch.relu(self.up(x))
            return x + (self.one(hidden) + self.two(hidden))

    model = nn.Sequential(nn.Linear(6, 6), Experts())
    ip.initialize(model, "zero_init_residual", inputs=(6,))
    x = torch.randn(3, 6)
    assert torch.equal(model[1](x), x)


def test_branches_that_end_in_no_normalization_are_told():
    model = nn.Sequential(*images(), nn.Flatten(), nn.Linear(8 * 36, 12), Branch(12))
    outcome = ip.initialize(model, "zero_gamma", inputs=(3, 8, 8))
    assert "1 of 4 residual branches end in no normalization" in outcome.notes[0]
    assert model[-1].layers[-1].weight.ne(0).any()


def test_where_it_makes_no_sense_it_is_refused():
    with pytest.raises(UsageError, match="none of this network's branches ends in one") as refused:
        ip.initialize(Chain(8, [Branch(8)]), "zero_gamma", inputs=(8,))
    assert "zero_init_residual" in refused.value.hint
    for scheme in ("zero_gamma", "zero_init_residual"):
        with pytest.raises(UsageError, match="this network has none"):
            ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), scheme, inputs=(4,))


class GemmaNorm(nn.Module):
    """A normalization whose parameter is the distance of its scale from one."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * (1.0 + self.weight)


def test_a_scale_that_is_counted_from_one_becomes_minus_one():
    model = Chain(8, [Branch(8, end=lambda: GemmaNorm(8)) for _ in range(2)])
    ip.initialize(model, "zero_init_residual", inputs=(8,))
    assert model.blocks[0].end.weight.eq(-1).all()
    x = torch.randn(3, 8)
    assert torch.equal(model.blocks[0](x), x)
    ip.initialize(model, "branch_scaling", inputs=(8,))
    torch.testing.assert_close(model.blocks[0].end.weight.detach(), torch.full((8,), math.sqrt(0.5) - 1.0))
