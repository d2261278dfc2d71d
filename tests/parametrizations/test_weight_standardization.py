import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initprobe.parametrizations.reparametrize import reparametrize

RELU_GAIN = 1 / math.sqrt(0.5 - 0.5 / math.pi)


def rows_of(layer: nn.Module) -> torch.Tensor:
    """A row per output: all that is summed over for it."""
    weight = layer.weight.detach().double()
    if getattr(layer, "transposed", False):
        groups = layer.groups
        weight = weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2)
        return weight.reshape(layer.out_channels, -1)
    return weight.flatten(1)


LAYERS = [
    lambda: nn.Linear(64, 96),
    lambda: nn.Conv1d(6, 8, 5),
    lambda: nn.Conv2d(16, 24, 3, groups=4),
    lambda: nn.Conv2d(16, 16, 3, groups=16),
    lambda: nn.Conv3d(3, 8, 2, stride=2),
    lambda: nn.ConvTranspose2d(16, 12, 3),
    lambda: nn.ConvTranspose2d(16, 12, 3, groups=4),
]


@pytest.mark.parametrize("build", LAYERS)
def test_filters_have_mean_zero_and_norm_one(build):
    torch.manual_seed(0)
    layer = build()
    reparametrize(layer, "weight_standardization")
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(3.0).add_(0.5)
    rows = rows_of(layer)
    assert rows.mean(1).abs().max() < 1e-6
    torch.testing.assert_close(rows.square().sum(1), torch.ones(len(rows), dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("build", LAYERS)
def test_plain_ones_have_variance_one_and_learned_factors_multiply(build):
    torch.manual_seed(0)
    layer = build()
    reparametrize(layer, "weight_standardization", scaled=False, gain=2.0, learned=True)
    rows = rows_of(layer)
    torch.testing.assert_close(rows.var(1, correction=0), torch.full_like(rows[:, 0], 4.0), rtol=1e-5, atol=0)
    factor = layer.parametrizations.weight[0].factor
    assert factor.shape == (len(rows),)
    with torch.no_grad():
        factor.copy_(torch.arange(len(rows)))
    wanted = 2.0 * torch.arange(len(rows), dtype=torch.float64)
    torch.testing.assert_close(rows_of(layer).std(1, correction=0), wanted, rtol=1e-5, atol=0)


def test_a_strided_transposed_convolution_keeps_variances():
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(64, 32, 4, stride=2, bias=False)
    reparametrize(layer, "weight_standardization")
    norms = rows_of(layer).square().sum(1)
    torch.testing.assert_close(norms, torch.full_like(norms, 4.0), rtol=1e-5, atol=0)
    output = layer(torch.randn(32, 64, 9, 9))[..., 4:-4, 4:-4].detach()
    assert float(output.var()) == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("gain", ["activation", "weight"])
def test_behind_a_relu_of_variance_one_a_layer_keeps_variance_one(gain):
    # 40 layers would multiply an error of one percent to 1.5: each filter's norm is exact, and means do not matter.
    torch.manual_seed(0)
    depth, width = 40, 256
    layers = [nn.Linear(width, width, bias=False) for _ in range(depth)]
    model = nn.ModuleList(layers)
    reparametrize(model, "weight_standardization", gain=RELU_GAIN if gain == "weight" else 1.0)
    x = torch.randn(512, width)
    variances = []
    with torch.no_grad():
        for layer in layers:
            x = layer(torch.relu(x) * (RELU_GAIN if gain == "activation" else 1.0))
            variances.append(float(x.var()))
            assert float(x.mean(0).square().mean()) < 1.0
    # Per unit over the batch, where the units' own means of a finite width do not count.
    assert variances[0] == pytest.approx(1.0, rel=0.03)
    assert variances[-1] == pytest.approx(1.0, rel=0.3)


def test_the_scale_of_what_is_stored_does_not_matter_but_for_the_gradient():
    torch.manual_seed(0)
    seen, gradients = [], []
    for scale in (1.0, 10.0):
        layer = nn.Linear(32, 8, bias=False)
        reparametrize(layer, "weight_standardization")
        with torch.no_grad():
            layer.parametrizations.weight.original.normal_(generator=torch.Generator().manual_seed(0)).mul_(scale)
        layer(torch.ones(1, 32).cumsum(1)).square().sum().backward()
        seen.append(layer.weight.detach())
        gradients.append(layer.parametrizations.weight.original.grad)
    torch.testing.assert_close(seen[1], seen[0])
    torch.testing.assert_close(gradients[1], gradients[0] / 10.0, rtol=1e-3, atol=1e-5)
    # A filter's mean and length have no effect, so the gradient has no part along them.
    assert gradients[0].sum(1).abs().max() < 1e-3 * gradients[0].abs().max()


def test_equal_weights_become_zero_and_not_infinite():
    layer = nn.Linear(8, 2)
    reparametrize(layer, "weight_standardization")
    with torch.no_grad():
        layer.parametrizations.weight.original.fill_(3.0)
    assert layer.weight.eq(0.0).all()
    layer(torch.ones(1, 8)).sum().backward()
    assert layer.parametrizations.weight.original.grad.isfinite().all()


@settings(deadline=None, max_examples=30)
@given(groups=st.integers(1, 4), channels=st.integers(1, 4), out=st.integers(1, 4), kernel=st.integers(2, 3))
def test_grouped_transposed_convolutions_are_those_of_their_groups(groups, channels, out, kernel):
    torch.manual_seed(0)
    whole = nn.ConvTranspose1d(groups * channels, groups * out, kernel, groups=groups)
    parts = [nn.ConvTranspose1d(channels, out, kernel) for _ in range(groups)]
    with torch.no_grad():
        for part, rows in zip(parts, whole.weight.chunk(groups), strict=True):
            part.weight.copy_(rows)
    reparametrize(nn.ModuleList([whole, *parts]), "weight_standardization")
    torch.testing.assert_close(whole.weight, torch.cat([part.weight for part in parts]))


@pytest.mark.parametrize(("kind", "scaled"), [("ScaledStdConv2d", True), ("StdConv2d", False)])
def test_it_is_timms(kind, scaled):
    layers = pytest.importorskip("timm.layers")
    torch.manual_seed(0)
    theirs = getattr(layers, kind)(12, 16, 3, padding=0, groups=2, eps=1e-10)
    ours = nn.Conv2d(12, 16, 3, groups=2)
    ours.load_state_dict({"weight": theirs.weight, "bias": theirs.bias if theirs.bias is not None else torch.zeros(16)})
    reparametrize(ours, "weight_standardization", scaled=scaled, learned=scaled)
    if scaled:
        with torch.no_grad():
            theirs.gain.copy_(torch.rand(16, 1, 1, 1))
            ours.parametrizations.weight[0].factor.copy_(theirs.gain.flatten())
    x = torch.randn(4, 12, 7, 7)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)
