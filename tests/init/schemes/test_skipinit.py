"""SkipInit: blocks that are the identity, and what is told where a multiplier is missing."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.networks import CASES
from tests.init.schemes.residual_networks import Branch, Chain, PostActivation, Scale

WIDTH = 12


def gated(depth: int, classes: int = 0) -> Chain:
    return Chain(WIDTH, [Branch(WIDTH, end=Scale) for _ in range(depth)], classes)


def test_every_block_is_the_identity():
    model = gated(128)
    ip.initialize(model, "skipinit", inputs=(WIDTH,))
    x = torch.randn(3, WIDTH)
    stream = model.features(x)
    assert all(torch.equal(one, stream[0]) for one in stream)
    jacobian = torch.autograd.functional.jacobian(nn.Sequential(*model.blocks), x[0])
    assert torch.equal(jacobian, torch.eye(WIDTH))


def test_weights_are_hes_and_the_multiplier_may_be_chosen():
    model = gated(4, classes=3)
    outcome = ip.initialize(model, "skipinit(alpha=0.5)", inputs=(WIDTH,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["blocks.0.layers.1.weight"] == pytest.approx(math.sqrt(2 / WIDTH))
    assert all(float(block.end.alpha.detach()) == 0.5 for block in model.blocks)
    assert model.head.weight.ne(0).any()
    ip.initialize(model, "skipinit(zero_head=True)", inputs=(WIDTH,))
    assert model.head.weight.eq(0).all()


def test_a_gradient_reaches_the_multipliers_alone():
    model = gated(6)
    ip.initialize(model, "skipinit", inputs=(WIDTH,))
    model(torch.randn(4, WIDTH)).square().sum().backward()
    for block in model.blocks:
        assert block.end.alpha.grad.ne(0).all()
        assert all(layer.weight.grad.eq(0).all() for layer in block.layers)


@pytest.mark.parametrize("scheme", ["skipinit", "rezero", "layerscale"])
def test_branches_without_a_multiplier_are_told_and_none_at_all_is_refused(scheme):
    model = Chain(WIDTH, [Branch(WIDTH, end=lambda: Scale(WIDTH)), Branch(WIDTH), Branch(WIDTH)])
    outcome = ip.initialize(model, scheme, inputs=(WIDTH,))
    assert any("2 of 3 residual branches have no" in note and "blocks.1" in note for note in outcome.notes)
    with pytest.raises(UsageError, match="no branch of this network has one") as refused:
        ip.initialize(Chain(WIDTH, [Branch(WIDTH)]), scheme, inputs=(WIDTH,))
    assert "zero_init_residual" in refused.value.hint
    with pytest.raises(UsageError, match="this network has none"):
        ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), scheme, inputs=(4,))


def test_normalizations_are_told():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.alpha = PostActivation(4), nn.Parameter(torch.ones(()))

        def forward(self, x):
            return x + self.alpha * self.block(x)

    outcome = ip.initialize(nn.Sequential(nn.Conv2d(3, 4, 1), Outer()), "skipinit", inputs=(3, 6, 6))
    assert any("this network has 2" in note for note in outcome.notes)


def test_a_multiplier_that_is_meant_by_name_is_set_too():
    case = CASES["gated"]
    model = case.build()
    outcome = ip.initialize(model, "skipinit", inputs=case.inputs, only="*.alpha")
    assert [one.weight for one in outcome.drawn] == ["1.end.alpha", "2.end.alpha", "3.end.alpha"]
    assert model[1].end.alpha.eq(0).all()


def test_a_gate_on_the_skip_path_is_left():
    class Skipping(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.keep, self.alpha = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.full((1,), 0.9)), Scale(1)

        def forward(self, x):
            return self.keep * x + self.alpha(self.layer(x))

    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), Skipping())
    outcome = ip.initialize(model, "skipinit", inputs=(WIDTH,))
    assert float(model[1].keep.detach()) == pytest.approx(0.9)
    assert model[1].alpha.alpha.eq(0).all()
    assert "scales no residual branch" in next(one.reason for one in outcome.skipped if one.weight == "1.keep")
