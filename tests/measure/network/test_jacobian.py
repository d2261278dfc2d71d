"""The condition of a Jacobian against its singular value decomposition, and what has none."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from initprobe.measure.network.jacobian import SAMPLES, jacobian_of, spectrum
from tests.measure.reference import probe


def draw(number, size):
    return torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(number))


def condition(model, inputs, **options):
    trace = probe(model, inputs, "jacobian", **options)
    return trace.network.get("jacobian"), [one.reason for one in trace.unseen]


class Fixed:
    def __init__(self, x):
        self.x, self.fixed = x, None

    def make(self, batch, seed, dtype):
        from initprobe.subject import Call

        x = self.x[:batch]
        return Call((x.to(dtype) if x.is_floating_point() else x,))


@pytest.mark.parametrize(("rows", "columns"), [(30, 30), (12, 40), (40, 12), (1, 9)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_products_are_those_of_the_matrix(rows, columns, scale):
    matrix = draw(99, rows * columns).reshape(rows, columns) * scale
    x = torch.zeros(columns, dtype=torch.float64, requires_grad=True)
    jacobian = jacobian_of([x], matrix @ x)
    v, u = draw(1, columns), draw(2, rows)
    torch.testing.assert_close(jacobian.apply(v), matrix @ v)
    torch.testing.assert_close(jacobian.transposed(u), matrix.T @ u)
    largest, rms = spectrum(jacobian, draw)
    exact = torch.linalg.svdvals(matrix)
    assert largest == pytest.approx(exact[0].item(), rel=0.02)
    assert largest <= exact[0].item() * (1 + 1e-9)
    assert rms == pytest.approx(exact.square().mean().sqrt().item(), rel=0.15)


def test_of_a_network_it_is_that_of_autograd():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 24))
    x = torch.randn(SAMPLES, 20)
    full = torch.autograd.functional.jacobian(model, x).reshape(SAMPLES * 24, SAMPLES * 20).double()
    exact = torch.linalg.svdvals(full)
    (largest, rms, number), _ = condition(model, Fixed(x))
    assert number == SAMPLES * 20
    assert largest == pytest.approx(exact[0].item(), rel=0.02)
    assert rms == pytest.approx((full.square().sum() / number).sqrt().item(), rel=0.1)


def test_a_linear_gaussian_net_has_the_edge_of_the_fuss_catalan_law():
    """Largest squared singular value (L + 1)^(L + 1) / L^L (docs of ``predict.spectrum``); finite n stays below."""
    width, depth = 300, 4
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(depth)))
    for layer in model:
        nn.init.normal_(layer.weight, std=width**-0.5)
    (largest, rms, _), _ = condition(model, Fixed(torch.randn(1, width)), batch=1)
    assert largest / rms == pytest.approx(math.sqrt(5**5 / 4**4), rel=0.08)


def test_tokens_are_differentiated_by_their_embedding():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 16, bias=False))
    ids = torch.arange(12).reshape(SAMPLES, 3) % 10
    (largest, rms, number), _ = condition(model, Fixed(ids))
    exact = torch.linalg.svdvals(model[1].weight.detach().double())
    assert number == SAMPLES * 3 * 16
    assert largest == pytest.approx(exact[0].item(), rel=0.02)
    assert rms == pytest.approx(exact.square().mean().sqrt().item(), rel=0.1)


class Rounded(torch.autograd.Function):
    """It has a derivative, and that one has none."""

    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return gradient


class Rounding(nn.Module):
    def forward(self, x):
        return Rounded.apply(x)


def test_what_cannot_be_differentiated_twice_is_told_and_not_measured():
    found, reasons = condition(nn.Sequential(nn.Linear(4, 4), Rounding()), Fixed(torch.randn(4, 4)))
    assert found is None
    assert any(reason.startswith("no jacobian: RuntimeError") for reason in reasons)


def test_a_branch_that_cannot_be_differentiated_twice_is_noticed_beside_one_that_can():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 4)

        def forward(self, x):
            return self.first(x) + Rounded.apply(x)

    found, reasons = condition(Both(), Fixed(torch.randn(4, 4)))
    assert found is None
    assert any("another function's" in reason for reason in reasons)


def test_an_output_that_no_input_reaches_has_none():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Linear(3, 3)

        def forward(self, x):
            return self.value(torch.ones(len(x), 3))

    found, reasons = condition(Constant(), Fixed(torch.arange(12).reshape(4, 3)))
    assert found is None
    assert any("no embedding reaches" in reason for reason in reasons)


def test_it_is_not_measured_without_a_backward_pass_nor_unless_it_is_asked_for():
    model = nn.Linear(4, 4)
    assert condition(model, Fixed(torch.randn(4, 4)), backward=False)[0] is None
    assert probe(model, Fixed(torch.randn(4, 4))).network == {}


def test_it_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(10, 8), nn.Linear(8, 8), nn.Dropout(0.5), nn.BatchNorm1d(3))
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    condition(model, Fixed(torch.arange(12).reshape(4, 3) % 10))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
