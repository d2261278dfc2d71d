"""Convolutions that keep the length of every image."""

import pytest
import torch
from torch import nn

import initprobe

WRAPPED = {"padding": 1, "padding_mode": "circular", "bias": False}


def operator(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """The matrix of a linear model, between flattened images."""
    size = torch.Size(shape).numel()
    images = torch.eye(size, dtype=torch.float64).unflatten(1, shape)
    return (model(images) - model(torch.zeros_like(images))).flatten(1).T.detach()


def test_a_thousand_layers_keep_every_length():
    model = nn.Sequential(*(nn.Conv1d(8, 8, 3, **WRAPPED) for _ in range(50))).double()
    initprobe.initialize(model, "delta_orthogonal", inputs=(8, 6))
    signal = torch.randn(4, 8, 6, dtype=torch.float64, requires_grad=True)
    out = signal
    for _ in range(20):
        out = model(out)
    # A product of 1000 matrices, each orthogonal to a few units in the last place of a double.
    torch.testing.assert_close(out.flatten(1).norm(dim=1), signal.flatten(1).norm(dim=1), rtol=1e-11, atol=0)
    (gradient,) = torch.autograd.grad(out, signal, torch.ones_like(out))
    assert float(gradient.norm()) == pytest.approx(out.numel() ** 0.5, rel=1e-11)


def test_orthogonal_kernels_do_not():
    model = nn.Sequential(nn.Conv2d(8, 8, 3, **WRAPPED)).double()
    initprobe.initialize(model, "orthogonal", inputs=(8, 6, 6))
    values = torch.linalg.svdvals(operator(model, (8, 6, 6)))
    assert values.min() < 0.5
    assert values.max() > 1.2


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(4, 6, 5, padding=2, padding_mode="circular"), (4, 9)),
        (nn.Conv2d(6, 12, 3, groups=3, padding=1, padding_mode="circular"), (6, 5, 5)),
        (nn.Conv2d(5, 5, 3, groups=5, padding=1, padding_mode="circular"), (5, 5, 5)),
        (nn.Conv2d(3, 8, 3, dilation=2, padding=2, padding_mode="circular"), (3, 6, 6)),
        (nn.Conv3d(3, 3, 3, padding=1, padding_mode="circular"), (3, 4, 4, 4)),
        (nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1), (4, 5, 5)),
        (nn.Linear(7, 20), (7,)),
    ],
)
def test_every_layer_that_does_not_narrow_is_an_isometry(layer, shape):
    model = nn.Sequential(layer).double()
    outcome = initprobe.initialize(model, "delta_orthogonal", inputs=shape)
    values = torch.linalg.svdvals(operator(model, shape))
    torch.testing.assert_close(values, torch.ones_like(values), rtol=1e-10, atol=0)
    assert outcome.drawn[0].note is None


def test_a_layer_that_narrows_is_told():
    model = nn.Sequential(nn.Conv1d(8, 4, 3), nn.Conv1d(4, 4, 2))
    outcome = initprobe.initialize(model, "delta_orthogonal", inputs=(8, 9))
    told = {one.weight: one.note for one in outcome.drawn}
    assert told["0.weight"] == "no isometry: 8 inputs do not fit into 4 outputs"
    assert "no middle tap" in told["1.weight"]
    rows = model[0].weight[:, :, 1].detach()
    torch.testing.assert_close(rows @ rows.T, torch.eye(4), atol=1e-6, rtol=0)


def test_the_gain_is_that_of_the_activation():
    model = nn.Sequential(nn.Conv1d(4, 4, 3), nn.Tanh(), nn.Conv1d(4, 4, 3))
    initprobe.initialize(model, "delta_orthogonal", inputs=(4, 9))
    assert float(torch.linalg.svdvals(model[2].weight.detach()[:, :, 1])[0]) == pytest.approx(1.59254, abs=1e-5)
    initprobe.initialize(model, "delta_orthogonal(gain=0.5)", inputs=(4, 9))
    assert float(torch.linalg.svdvals(model[2].weight.detach()[:, :, 1])[0]) == pytest.approx(0.5, abs=1e-6)
