"""The NTK parametrization: the kernel of theory at any width, and the same training as with multipliers."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.stacks import plain

SIGMA_B = 0.1


def test_stds_and_learning_rates():
    for optimizer, power in (("sgd", 2), ("adam", 1)):
        told = {one.weight: one for one in ip.initialize(plain(256), f"ntk(optimizer={optimizer})", inputs=(16,)).drawn}
        for name, std in (("0.weight", 1 / 4), ("2.weight", math.sqrt(2) / 16), ("6.bias", SIGMA_B)):
            assert told[name].std == pytest.approx(std)
            assert told[name].learning_rate == pytest.approx(std**power)


class Multiplied(nn.Module):
    """σ_w W x / √fan_in + σ_b b."""

    def __init__(self, layer: nn.Linear, std: float) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(layer.weight.detach() / std)
        self.bias = nn.Parameter(layer.bias.detach() / SIGMA_B)

    def forward(self, x):
        return nn.functional.linear(x, self.std * self.weight, SIGMA_B * self.bias)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_the_same_training_as_with_multipliers(optimizer):
    model = plain(64).double()
    outcome = ip.initialize(model, f"ntk(optimizer={optimizer})", inputs=(16,))
    stds = {one.weight: one.std for one in outcome.drawn}
    multiplied = nn.Sequential(
        *(
            Multiplied(layer, stds[f"{place}.weight"]) if isinstance(layer, nn.Linear) else layer
            for place, layer in enumerate(model)
        )
    )
    x = torch.randn(8, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    lr = 0.5 if optimizer == "sgd" else 0.01
    for network, given in ((model, ip.parameter_groups(model, outcome, lr=lr)), (multiplied, multiplied.parameters())):
        stepper = torch.optim.SGD(given, lr) if optimizer == "sgd" else torch.optim.Adam(given, lr, eps=1e-30)
        for _ in range(3):
            stepper.zero_grad()
            network(x).square().mean().backward()
            stepper.step()
    torch.testing.assert_close(model(x), multiplied(x), rtol=1e-6, atol=1e-8)


def empirical(width: int, x: torch.Tensor, seed: int) -> torch.Tensor:
    """Σ over parameters of learning rate times the products of gradients, for every pair of inputs."""
    model = plain(width, outputs=1)
    rates = ip.initialize(model, "ntk", inputs=(16,), seed=seed).learning_rates
    rows = []
    for one in x:
        gradients = torch.autograd.grad(model(one).sum(), list(model.parameters()))
        named = zip(dict(model.named_parameters()), gradients, strict=True)
        rows.append(torch.cat([math.sqrt(rates.get(name, 1.0)) * gradient.flatten() for name, gradient in named]))
    stacked = torch.stack(rows)
    return stacked @ stacked.T


def predicted(x: torch.Tensor) -> torch.Tensor:
    """The recursion of Jacot et al. for relu; the first layer has σ_w = 1, the others √2."""
    sigma = x @ x.T / x.shape[1] + SIGMA_B**2
    theta = sigma.clone()
    for _ in range(3):
        norms = sigma.diagonal().sqrt()
        cosine = (sigma / norms.outer(norms)).clamp(-1, 1)
        angle = cosine.acos()
        derivative = (math.pi - angle) / math.pi
        sigma = norms.outer(norms) * (angle.sin() + (math.pi - angle) * cosine) / math.pi + SIGMA_B**2
        theta = sigma + theta * derivative
    return theta


def test_the_kernel_is_that_of_theory_at_every_width():
    x = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))
    expected = predicted(x)
    for width, seeds in ((256, 12), (1024, 6)):
        kernel = torch.stack([empirical(width, x, seed) for seed in range(seeds)]).mean(0)
        # The kernel of one network scatters like 1/√width; measured: 4 / √(width · seeds) for the mean.
        assert float((kernel - expected).norm() / expected.norm()) < 8.0 / math.sqrt(width * seeds)
