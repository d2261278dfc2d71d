"""Orthogonal layers that keep the signal per unit whatever their shape."""

import pytest
import torch
from torch import nn

import initprobe


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("scheme", ["scaled_orthogonal", "suo(delta=False)"])
@pytest.mark.parametrize(("inputs", "outputs"), [(64, 256), (256, 64), (64, 16), (16, 512), (48, 48)])
def test_the_signal_per_unit_is_kept_whatever_the_widths(scheme, inputs, outputs):
    model = nn.Sequential(nn.Conv1d(inputs, outputs, 3, padding=1, padding_mode="circular"))
    initprobe.initialize(model, scheme, inputs=(inputs, 12))
    # Of 64 · 16 · 12 numbers at least: relative standard error √(2 / 12288) = 1.3 %.
    out = model(noise(64, inputs, 12)).detach()
    assert float(out.square().mean()) == pytest.approx(1.0, rel=4 * 0.013)


def test_plain_orthogonal_layers_lose_it_where_they_widen():
    model = nn.Sequential(nn.Linear(64, 256))
    initprobe.initialize(model, "orthogonal", inputs=(64,))
    assert float(model(noise(500, 64)).detach().square().mean()) == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(("rows", "columns", "scale"), [(12, 48, 1.0), (48, 12, 2.0), (20, 20, 1.0)])
def test_singular_values(rows, columns, scale):
    model = nn.Sequential(nn.Linear(columns, rows))
    outcome = initprobe.initialize(model, "suo(gain=1)", inputs=(columns,))
    values = torch.linalg.svdvals(model[0].weight.detach())
    torch.testing.assert_close(values, torch.full_like(values, scale), rtol=1e-5, atol=0)
    second = float(model[0].weight.detach().square().mean().sqrt())
    assert outcome.drawn[0].std == pytest.approx(second, rel=1e-6)


def test_convolutions_by_group_and_by_patch():
    model = nn.Sequential(nn.Conv2d(8, 16, 3, groups=4))
    outcome = initprobe.initialize(model, "suo", inputs=(8, 5, 5))
    middle = model[0].weight.detach()[:, :, 1, 1].unflatten(0, (4, 4))
    torch.testing.assert_close(middle.mT @ middle, 2 * torch.eye(2).expand(4, 2, 2), atol=1e-6, rtol=0)
    assert int((model[0].weight != 0).sum()) == middle.numel()
    assert outcome.drawn[0].std == pytest.approx(float(model[0].weight.detach().square().mean().sqrt()), rel=1e-6)
    initprobe.initialize(model, "suo(delta=False)", inputs=(8, 5, 5))
    assert model[0].weight.ne(0).all()


def test_a_relu_before_it_is_made_up_for():
    model = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32))
    initprobe.initialize(model, "suo", inputs=(32,))
    values = torch.linalg.svdvals(model[2].weight.detach())
    torch.testing.assert_close(values, torch.full_like(values, 2**0.5), rtol=1e-5, atol=0)
