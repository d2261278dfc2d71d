"""Identities, Hadamard matrices and zeros."""

import pytest
import torch
from torch import nn

import initprobe
from initprobe.init.schemes.zero_identity import spread


@pytest.mark.parametrize(("outputs", "inputs"), [(64, 16), (96, 40), (5, 1), (128, 100), (3, 2)])
def test_a_layer_that_widens_is_a_corner_of_a_hadamard_matrix(outputs, inputs):
    size = 1 << (outputs - 1).bit_length()
    hadamard = torch.ones(1, 1, dtype=torch.float64)
    while len(hadamard) < size:  # Sylvester's construction
        hadamard = torch.cat([torch.cat([hadamard, hadamard], 1), torch.cat([hadamard, -hadamard], 1)])
    found = spread(outputs, inputs)
    torch.testing.assert_close(found, hadamard[:outputs, :inputs] / size**0.5)
    torch.testing.assert_close(found.square().sum(0), torch.full((inputs,), outputs / size, dtype=torch.float64))
    if outputs == size:
        torch.testing.assert_close(found.T @ found, torch.eye(inputs, dtype=torch.float64))


def test_nothing_is_random():
    models = [nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 4)) for _ in range(2)]
    for seed, model in enumerate(models):
        initprobe.initialize(model, "ZerO", inputs=(6,), seed=seed)
    assert torch.equal(models[0][0].weight, models[1][0].weight)
    assert torch.equal(models[0][2].weight.detach(), torch.eye(4, 20))


class Block(nn.Module):
    """A residual block of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(torch.relu(self.conv1(x)))


def test_a_deep_residual_network_is_the_identity_and_its_branches_get_gradients():
    model = nn.Sequential(*(Block() for _ in range(20)))
    outcome = initprobe.initialize(model, "zero_identity", inputs=(8, 5, 5))
    signal = torch.randn(2, 8, 5, 5)
    out = model(signal)
    assert torch.equal(out, signal)
    out.square().mean().backward()
    for block in model:
        assert block.conv2.weight.eq(0).all()
        assert block.conv2.weight.grad.abs().max() > 0
        assert torch.equal(block.conv1.weight.detach(), nn.init.dirac_(torch.empty(8, 8, 3, 3)))
    declared = {one.weight: one.std for one in outcome.drawn}
    assert (declared["0.conv1.weight"], declared["0.conv2.weight"]) == (None, 0.0)


def test_tails_may_be_like_all_others():
    model = nn.Sequential(Block())
    initprobe.initialize(model, "zero_identity(tails=False)", inputs=(8, 5, 5))
    assert torch.equal(model[0].conv2.weight, model[0].conv1.weight)


def test_groups_and_even_kernels():
    model = nn.Sequential(nn.Conv1d(4, 16, 3, groups=2), nn.Conv1d(16, 16, 4, groups=16))
    outcome = initprobe.initialize(model, "zero_identity", inputs=(4, 12))
    for group in model[0].weight.detach()[:, :, 1].chunk(2):
        torch.testing.assert_close(group.T @ group, torch.eye(2))
    assert model[1].weight.detach()[:, 0].eq(torch.tensor([0.0, 0.0, 1.0, 0.0])).all()
    assert "no middle tap" in {one.weight: one.note for one in outcome.drawn}["1.weight"]
