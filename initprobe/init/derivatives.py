"""Gradients of a network, and gradients of those, with a word on where they come to an end."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from initprobe.errors import TargetError, UsageError, first_line, user_trace
from initprobe.measure.gradients import reach_of

NOT_TWICE = ("is not implemented", "differentiate twice")
"""What torch says of an operation that has no second derivative."""

DEAD_END = "torch::autograd::Error"
"""The node behind a function that is marked as differentiable once.

Nobody calls it on the way to a parameter: without a look at the graph its part of the second derivative is just lost.
"""


def differentiate(
    value: torch.Tensor, tensors: Sequence[torch.Tensor], cotangent: torch.Tensor | None, *, graph: bool
) -> list[torch.Tensor]:
    """The gradients of a value; zero where it does not depend on a tensor.

    Args:
        value: what is differentiated.
        tensors: what by.
        cotangent: gradient of the value, where it is no single number.
        graph: whether the gradients will be differentiated again.

    Raises:
        UsageError: it depends on nothing that can be differentiated, or an operation has no second derivative.
        TargetError: the backward pass failed, with the user's own frames.
    """
    if not value.requires_grad:
        raise UsageError(
            "the model's output depends on no parameter that is trained, or its forward records no gradients",
            hint="unfreeze parameters, or use a scheme that needs no gradients",
        )
    try:
        found = _gradients(value, tensors, cotangent, graph=graph)
    except (Exception, SystemExit) as error:  # a custom function's backward is anybody's code
        if any(words in str(error) for words in NOT_TWICE):
            raise _not_twice(first_line(error)) from error
        raise TargetError(
            f"the backward pass failed: {first_line(error)}",
            hint="use a scheme that needs no gradients, lsuv for one",
            trace=user_trace(error),
        ) from error
    return [torch.zeros_like(one) if got is None else got for one, got in zip(tensors, found, strict=True)]


def check_twice(gradients: Sequence[torch.Tensor]) -> None:
    """Make sure that gradients can be differentiated all the way.

    Raises:
        UsageError: a function on the way is marked as differentiable once.
    """
    if any(node.name() == DEAD_END for node in reach_of(gradients).nodes):
        raise _not_twice("a custom function in it is marked with @once_differentiable")


def _gradients(
    value: torch.Tensor, tensors: Sequence[torch.Tensor], cotangent: torch.Tensor | None, *, graph: bool
) -> tuple[torch.Tensor | None, ...]:
    return torch.autograd.grad(value, tensors, cotangent, create_graph=graph, allow_unused=True)


def _not_twice(why: str) -> UsageError:
    return UsageError(
        f"the model cannot be differentiated twice: {why}",
        hint="use a scheme that needs no second derivatives, lsuv for one",
    )
