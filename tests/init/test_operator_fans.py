"""The fans that are read off a traced pass are the operator's: what they predict of variances is measured.

With weights of variance 1 / fan_in a layer keeps the second moment of its signal, and with 1 / fan_out that of the
gradient. Padding is circular where a layer has it, and taken away from the edges where it has not, so that every output
sums over as many numbers as the fan says.
"""

import math

import pytest
import torch
from torch import nn

import initprobe

BATCH = 16
WRAPPED = {"padding_mode": "circular", "bias": False}
LAYERS = {
    "linear": (lambda: nn.Linear(256, 64, bias=False), (64, 256)),
    "conv": (lambda: nn.Conv2d(24, 48, 3, padding=1, **WRAPPED), (24, 12, 12)),
    "conv1d": (lambda: nn.Conv1d(32, 64, 5, padding=2, **WRAPPED), (32, 32)),
    "conv3d": (lambda: nn.Conv3d(8, 32, 3, padding=1, **WRAPPED), (8, 6, 6, 6)),
    "grouped": (lambda: nn.Conv2d(64, 128, 3, padding=1, groups=8, **WRAPPED), (64, 12, 12)),
    "depthwise": (lambda: nn.Conv2d(256, 256, 5, padding=2, groups=256, **WRAPPED), (256, 12, 12)),
    "multiplied": (lambda: nn.Conv2d(128, 256, 5, padding=2, groups=128, **WRAPPED), (128, 12, 12)),
    "dilated": (lambda: nn.Conv2d(24, 48, 3, padding=2, dilation=2, **WRAPPED), (24, 12, 12)),
    "strided": (lambda: nn.Conv2d(24, 64, 4, padding=1, stride=2, **WRAPPED), (24, 16, 16)),
    "uneven": (lambda: nn.Conv2d(24, 96, 3, padding=1, stride=2, **WRAPPED), (24, 16, 16)),
    "transposed": (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2, bias=False), (64, 10, 10)),
    "transposed_grouped": (lambda: nn.ConvTranspose2d(128, 64, 4, stride=2, groups=4, bias=False), (128, 10, 10)),
    "transposed_plain": (lambda: nn.ConvTranspose1d(64, 128, 5, bias=False), (64, 40)),
}
EXPECTED = {
    "linear": (256, 64), "conv": (216, 432), "conv1d": (160, 320), "conv3d": (216, 864), "grouped": (72, 144),
    "depthwise": (25, 25), "multiplied": (25, 50), "dilated": (216, 432), "strided": (384, 256), "uneven": (216, 216),
    "transposed": (256, 512), "transposed_grouped": (128, 256), "transposed_plain": (320, 640),
}  # fmt: skip
"""fan_in and fan_out: (in / groups) · K and (out / groups) · K / stride, the other way round where transposed."""


def tolerance(units: int, activation: type[nn.Module] | None) -> float:
    """Relative: four standard errors of a layer's gain over its draws, and what a wrong count of groups is far above.

    Of white noise the gain is that of 6000 weights or more. Behind a relu the part 1 / π of the second moment is the
    mean, which every unit meets with one number, the sum of its weights.
    """
    return 4.0 * (math.sqrt(2.0 / 6000.0) + (math.sqrt(2.0 / units) / math.pi if activation is not None else 0.0))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def middle(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Without the edges of what is not wrapped around."""
    if "transposed" not in name:
        return tensor
    cut = slice(5, -5)
    return tensor[(..., *[cut] * (tensor.dim() - 2))]


@pytest.mark.parametrize("name", list(LAYERS))
def test_fans_of_the_traced_pass(name):
    build, shape = LAYERS[name]
    outcome = initprobe.initialize(nn.Sequential(build()), "lecun_normal", inputs=shape)
    back = initprobe.initialize(nn.Sequential(build()), "variance_scaling(mode=fan_out, gain=1)", inputs=shape)
    fans = tuple(round(1 / one.drawn[0].std ** 2, 6) for one in (outcome, back))
    assert fans == EXPECTED[name]


@pytest.mark.parametrize("name", list(LAYERS))
@pytest.mark.parametrize("activation", [None, nn.ReLU])
def test_the_forward_signal_is_kept(name, activation):
    build, shape = LAYERS[name]
    layers = [build()] if activation is None else [activation(), build()]
    model = nn.Sequential(*layers)
    initprobe.initialize(model, "lecun" if activation is None else "he", inputs=shape)
    out = middle(name, model(noise(BATCH, *shape)).detach())
    assert float(out.square().mean()) == pytest.approx(1.0, rel=tolerance(out.shape[1], activation))


@pytest.mark.parametrize("name", list(LAYERS))
@pytest.mark.parametrize("activation", [None, nn.ReLU])
def test_the_gradient_is_kept(name, activation):
    build, shape = LAYERS[name]
    layers = [build()] if activation is None else [build(), activation()]
    model = nn.Sequential(*layers)
    mode = "variance_scaling(gain=1, mode=fan_out)" if activation is None else "he(mode=fan_out)"
    initprobe.initialize(model, mode, inputs=shape)
    signal = noise(BATCH, *shape).requires_grad_()
    out = model(signal)
    (gradient,) = torch.autograd.grad(out, signal, noise(*out.shape))
    # What leaves a transposed layer is wider than what enters it, so that all of it meets every input: no edges.
    assert float(gradient.square().mean()) == pytest.approx(1.0, rel=tolerance(shape[0], None))


def test_dilation_and_padding_do_not_change_fans():
    stds = []
    for options in ({}, {"dilation": 3}, {"padding": 2}):
        outcome = initprobe.initialize(nn.Sequential(nn.Conv1d(8, 8, 3, **options)), "he", inputs=(8, 20))
        stds.append(outcome.drawn[0].std)
    assert stds == [pytest.approx(math.sqrt(2 / 24))] * 3
