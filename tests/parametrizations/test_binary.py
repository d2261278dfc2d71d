import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initprobe.parametrizations.reparametrize import reparametrize


def binary(rows: list[list[float]] | torch.Tensor, dtype: torch.dtype = torch.float64) -> nn.Module:
    values = torch.as_tensor(rows, dtype=dtype)
    layer = nn.Linear(values.shape[1], values.shape[0], bias=False, dtype=dtype)
    with torch.no_grad():
        layer.weight.copy_(values)
    reparametrize(layer, "binary")
    return layer


def test_signs_times_the_mean_of_the_absolute_values():
    layer = binary([[1.0, -2.0, 0.0, -0.0], [-0.5, 0.5, 4.0, -1.0]])
    expected = torch.tensor([[0.75, -0.75, 0.75, 0.75], [-1.5, 1.5, 1.5, -1.5]], dtype=torch.float64)
    assert torch.equal(layer.weight.detach(), expected)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=6), st.floats(0, 10), st.data())
def test_no_other_number_and_no_other_signs_come_nearer(row, alpha, data):
    wanted = torch.tensor([row], dtype=torch.float64)
    found = binary(wanted).weight.detach()
    signs = torch.tensor([[data.draw(st.sampled_from([-1.0, 1.0])) for _ in row]], dtype=torch.float64)
    assert (wanted - found).square().sum() <= (wanted - alpha * signs).square().sum() + 1e-9


@pytest.mark.parametrize(
    ("draw", "ratio"),
    [(torch.Tensor.normal_, 2 / math.pi), (lambda weight: weight.uniform_(-1.0, 1.0), 3 / 4)],
)
def test_what_is_left_of_the_variance(draw, ratio):
    # (E|w|)² / E w²; what is lost is 1 - 2/π of a normal weight.
    torch.manual_seed(0)
    values = draw(torch.empty(64, 4096))
    seen = binary(values, torch.float32).weight.detach()
    assert float(seen.square().mean() / values.square().mean()) == pytest.approx(ratio, rel=0.005)
    lost = (values - seen).square().mean() / values.square().mean()
    assert float(lost) == pytest.approx(1.0 - ratio, rel=0.01)


def test_the_gradient_is_the_papers():
    values = torch.tensor([[0.5, -0.25, 1.0, -3.0]], dtype=torch.float64)
    layer = binary(values)
    incoming = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    (layer.weight * incoming).sum().backward()
    alpha = 4.75 / 4
    slope = torch.tensor([[0.25 + alpha, 0.25 + alpha, 0.25, 0.25]], dtype=torch.float64)
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, incoming * slope, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_there_are_two_values_per_filter_in_every_type(dtype):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, 3)
    reparametrize(layer, "binary")
    weight = layer.to(dtype).weight.detach()
    assert all(len(row.abs().unique()) == 1 for row in weight)
    assert all(len(row.unique()) == 2 for row in weight)


def test_a_network_of_binary_layers_learns():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(16, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.Linear(64, 1)
    )
    reparametrize(model, "binary", only="3")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    x = torch.randn(256, 16)
    y = (x[:, :1] * x[:, 1:2]).sign()
    losses = []
    for _ in range(60):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
