"""Normalizations and residual streams: what theory says of their gradients and sizes, in networks of real width.

Batch normalization multiplies squared gradients by E f'² / Var f per layer (Yang et al. 2019, arXiv 1902.08129); a
residual stream doubles per He block, grows to e under branches of 1 / √L (Hanin & Rolnick 2018, arXiv 1803.01719) and
linearly behind normalizations (De & Smith 2020, arXiv 2002.10444); what the position of a transformer's normalizations
does to its last gradients is theorem 1 of Xiong et al. 2020 (arXiv 2002.04745).
"""

from __future__ import annotations

import math
from statistics import fmean, linear_regression

import pytest
import torch
import torch.nn.functional as F

from initprobe.predict.normalization import batch_norm_rate, centred_rate, plain_rate
from initprobe.predict.residual import exponential_growth, linear_growth, mean_field_stream, pre_norm_gradient
from initprobe.records import ActivationUse
from tests.physics.stacks import FUNCTIONS, agrees

pytestmark = pytest.mark.untraced

WIDTH = 1024


def squares(*values: torch.Tensor) -> list[float]:
    return [value.detach().double().square().mean().item() for value in values]


def drawn(variance: float, generator: torch.Generator, rows: int = WIDTH, columns: int = WIDTH) -> torch.Tensor:
    return torch.randn(rows, columns, generator=generator) * (variance / columns) ** 0.5


def normalized_stack(activation: str, norm: str, *, depth: int, batch: int, seed: int, width: int = WIDTH):
    """Squared gradients in front of each layer of f(norm(W h)), or norm(f(W h))."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(batch, width, generator=generator, requires_grad=True)
    seen = []
    for _ in range(depth):
        h.retain_grad()
        seen.append(h)
        z = h @ drawn(1.0, generator, width, width).T
        if norm == "batch":
            h = FUNCTIONS[activation](F.batch_norm(z, None, None, training=True))
        elif norm == "layer before":
            h = FUNCTIONS[activation](F.layer_norm(z, (width,)))
        else:
            h = F.layer_norm(FUNCTIONS[activation](z), (width,))
    h.backward(torch.randn(h.shape, generator=generator))
    return squares(*(one.grad for one in seen))


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu", "elu"])
def test_batch_normalization_makes_gradients_grow(activation):
    """The rate of a large batch, over the last layers that the gradient passes: 3 %."""
    grown = []
    for seed in range(2):
        found = normalized_stack(activation, "batch", depth=6, batch=256, seed=seed)
        # What reaches the last layer has passed no normalization yet, and the first has the raw input in front of it.
        grown.append(math.log(found[1] / found[4]) / 3)
    use = ActivationUse(activation)
    rate = batch_norm_rate(use, 256)
    assert math.exp(fmean(grown)) == pytest.approx(rate, rel=0.03)
    assert rate == pytest.approx(centred_rate(use), rel=0.02), "a batch of 256 is a large one"


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
@pytest.mark.parametrize(("norm", "rate"), [("layer before", plain_rate), ("layer behind", centred_rate)])
def test_layer_normalization_takes_the_mean_away_only_behind_the_activation(activation, norm, rate):
    found = normalized_stack(activation, norm, depth=6, batch=32, seed=3)
    assert math.exp(math.log(found[1] / found[5]) / 4) == pytest.approx(rate(ActivationUse(activation)), rel=0.03)


def residual_stack(blocks: int, scale: float, *, seed: int, width: int = 512, norm: bool = False) -> list[float]:
    """Growth of x + s W relu(V x), with He weights; V sees the normalized stream where ``norm`` is set."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(32, width, generator=generator)
    x = x / x.square().mean(1, keepdim=True).sqrt()
    found = squares(x)
    for _ in range(blocks):
        read = F.layer_norm(x, (width,)) if norm else x
        hidden = F.relu(read @ drawn(1.0, generator, width, width).T)
        x = x + scale * hidden @ drawn(2.0, generator, width, width).T
        found += squares(x)
    return found


@pytest.mark.parametrize(("blocks", "scale"), [(10, 1.0), (40, 40**-0.5)])
def test_a_residual_stream_doubles_or_grows_to_e(blocks, scale):
    expected = exponential_growth(blocks, 1.0, scale)
    grown = [math.log(residual_stack(blocks, scale, seed=seed)[-1] / expected) / blocks for seed in range(8)]
    agrees(grown, 0.01)
    if scale < 1.0:
        assert expected == pytest.approx(math.e, rel=0.02)
    else:
        assert expected == 2.0**blocks


def test_a_stream_behind_normalizations_grows_linearly():
    draws = [residual_stack(30, 1.0, seed=seed, norm=True) for seed in range(4)]
    for block in (1, 5, 10, 20, 30):
        assert fmean(draw[block] for draw in draws) == pytest.approx(linear_growth(block), rel=0.05)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_mean_field_of_a_residual_stream(activation):
    """X + V f(W x), second moment and squared gradient (Yang & Schoenholz 2017, theorems 1 and 7)."""
    blocks, width, second, gradient = 15, 512, [], []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(16, width, generator=generator, requires_grad=True)
        x = start
        for _ in range(blocks):
            inner = FUNCTIONS[activation](x @ drawn(1.5, generator, width, width).T)
            x = x + inner @ drawn(0.5, generator, width, width).T
        cotangent = torch.randn(x.shape, generator=generator)
        x.backward(cotangent)
        second.append(math.log(squares(x)[0] / squares(start)[0]))
        gradient.append(math.log(squares(start.grad)[0] / squares(cotangent)[0]))
    stream = mean_field_stream(ActivationUse(activation), blocks, weight_variance=1.5, branch_variance=0.5)
    assert math.exp(fmean(second) / blocks) == pytest.approx(stream.second ** (1 / blocks), rel=0.01)
    assert math.exp(fmean(gradient) / blocks) == pytest.approx(stream.gradient ** (1 / blocks), rel=0.01)


def last_gradient(blocks: int, *, pre: bool, seed: int, width: int = 256) -> float:
    """RMS gradient of the last weight of relu blocks of variance 1 with normalizations in or behind their branches."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(64, width, generator=generator)
    for block in range(blocks):
        first, last = drawn(1.0, generator, width, width), drawn(2.0, generator, width, width)
        last.requires_grad_(block == blocks - 1)
        if pre:
            x = x + F.relu(F.layer_norm(x, (width,)) @ first.T) @ last.T
        else:
            x = F.layer_norm(x + F.relu(x @ first.T) @ last.T, (width,))
    out = F.layer_norm(x, (width,)) if pre else x
    (found,) = torch.autograd.grad(out, last, torch.randn(out.shape, generator=generator))
    return squares(found)[0] ** 0.5


def slope(*, pre: bool) -> float:
    """Of the logarithm of the last gradient against that of depth, from 4 to 64 blocks."""
    depths = [4, 8, 16, 32, 64]
    logs = [fmean(math.log(last_gradient(depth, pre=pre, seed=seed)) for seed in range(2)) for depth in depths]
    return linear_regression([math.log(depth) for depth in depths], logs).slope


def test_the_last_gradient_of_pre_norm_falls_as_the_root_of_depth_and_that_of_post_norm_does_not():
    expected = math.log(pre_norm_gradient(64) / pre_norm_gradient(4)) / math.log(16)
    assert expected == pytest.approx(-0.5, abs=0.04)
    assert slope(pre=True) == pytest.approx(expected, abs=0.05)
    assert slope(pre=False) == pytest.approx(0.0, abs=0.05)
