"""ReZero: the identity, exactly, whatever is in the branches."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.schemes.residual_networks import Branch, Chain, Scale, ZeroedTransformer

WIDTH = 4


@pytest.mark.untraced
def test_the_jacobian_of_128_layers_is_the_identity():
    model = nn.Sequential(*(ZeroedTransformer(WIDTH) for _ in range(128)))
    outcome = ip.initialize(model, "rezero", inputs=(2, WIDTH))
    x = torch.randn(1, 2, WIDTH)
    assert torch.equal(model(x), x)
    jacobian = torch.autograd.functional.jacobian(model, x).reshape(2 * WIDTH, 2 * WIDTH)
    assert torch.equal(jacobian, torch.eye(2 * WIDTH))
    assert outcome.notes == ()
    assert sum(one.weight.endswith("alpha") for one in outcome.drawn) == 128


def test_the_first_gradient_is_that_of_the_gates():
    model = nn.Sequential(*(ZeroedTransformer(WIDTH) for _ in range(4)))
    ip.initialize(model, "rezero", inputs=(3, WIDTH))
    model(torch.randn(2, 3, WIDTH)).pow(3).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.ne(0).any() == name.endswith("alpha"), name


def test_branches_are_drawn_by_their_activations():
    model = Chain(32, [Branch(32, end=lambda: Scale(1)) for _ in range(3)])
    outcome = ip.initialize(model, "rezero", inputs=(32,))
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["blocks.1.layers.0.weight"] == pytest.approx(1 / math.sqrt(32))
    assert stds["blocks.1.layers.1.weight"] == pytest.approx(math.sqrt(2 / 32))
    assert stds["blocks.1.end.alpha"] == 0.0
