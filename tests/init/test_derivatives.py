"""Second derivatives: against a formula, and where they come to an end."""

import pytest
import torch

from initprobe.errors import TargetError, UsageError
from initprobe.init.derivatives import check_twice, differentiate


def test_first_and_second_derivatives_of_a_cube():
    x, spare = torch.tensor([1.0, 2.0], requires_grad=True), torch.ones(3, requires_grad=True)
    first, unused = differentiate((x**3).sum(), [x, spare], None, graph=True)
    check_twice([first])
    torch.testing.assert_close(first, 3 * x**2)
    assert unused.eq(0).all()
    (second,) = differentiate(first, [x], torch.tensor([1.0, 10.0]), graph=False)
    torch.testing.assert_close(second, torch.tensor([6.0, 120.0]))


class Once(torch.autograd.Function):
    """A square that can be differentiated once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x * gradient


def test_torch_drops_without_a_word_what_the_graph_tells():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (first,) = differentiate((Once.apply(x) ** 2).sum(), [x], None, graph=True)
    (second,) = differentiate(first.sum(), [x], None, graph=False)
    assert not torch.allclose(second, 12 * x**2)  # of x⁴
    with pytest.raises(UsageError, match="marked with @once_differentiable"):
        check_twice([first])


def test_a_value_that_depends_on_nothing():
    with pytest.raises(UsageError, match="depends on no parameter"):
        differentiate(torch.ones(()), [torch.ones(1, requires_grad=True)], None, graph=False)


def test_a_mistake_in_somebody_elses_backward():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda _: 1 / 0)
    with pytest.raises(TargetError, match="ZeroDivisionError"):
        differentiate(y.sum(), [x], None, graph=False)
