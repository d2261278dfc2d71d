"""The singular values of the input-output Jacobian, without the Jacobian: the largest one and their root mean square.

Products with J^T are one backward pass. Products with J are two, for the backward pass is linear in its cotangent u and
can be differentiated by it: d(J^T u)/du applied to v is J v. (Pearlmutter 1994, "Fast Exact Multiplication by the
Hessian", for products without the matrix; Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735, for the spectrum.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from initprobe.errors import first_line, raised_here
from initprobe.hooks import outputs_changed, tensors_in, unmeasurable
from initprobe.measure.network.base import Measurement, Unmeasured, measurement
from initprobe.subject import Call, Subject, run_model
from initprobe.variates import Variates

SAMPLES = 4
"""The Jacobian is that of a small batch: samples that do not see each other are blocks of it."""

STEPS = 40
"""Power iterations at most; the estimate grows towards the largest singular value."""

SETTLED = 1e-3
"""The relative change of the estimate that ends them."""

ADJOINT = 0.02
"""How far (J^T u) v may lie off u (J v), relative to it: the rounding of half precision. They are one number, unless
somebody's backward pass is not the derivative of what it belongs to."""

LARGEST = 1 << 24
"""Numbers on either side of it; beyond that the vectors alone would fill gigabytes."""

PROBES = 16
"""Random cotangents for what is left of the squared norm; each of k directions left adds 2/k of variance."""


@dataclass(frozen=True, slots=True)
class Jacobian:
    """A linear map in vectors of float64, which its products divide by their norms before they are rounded.

    Attributes:
        rows, columns: its shape.
        apply: J v, shape (rows,).
        transposed: J^T u, shape (columns,).
    """

    rows: int
    columns: int
    apply: Callable[[torch.Tensor], torch.Tensor]
    transposed: Callable[[torch.Tensor], torch.Tensor]


def jacobian_of(inputs: Sequence[torch.Tensor], output: torch.Tensor) -> Jacobian:
    """The Jacobian of ``output`` by ``inputs``, from the graph that lies between them."""
    cotangent = torch.zeros_like(output, requires_grad=True)
    back = torch.autograd.grad(output, inputs, cotangent, create_graph=True, materialize_grads=True)
    sizes = [one.numel() for one in inputs]

    def transposed(u: torch.Tensor) -> torch.Tensor:
        products = torch.autograd.grad(
            output, inputs, u.reshape(output.shape).to(output), retain_graph=True, materialize_grads=True
        )
        return torch.cat([one.reshape(-1).double() for one in products])

    def apply(v: torch.Tensor) -> torch.Tensor:
        parts = zip(back, torch.split(v, sizes), strict=True)
        linked = [(one, part.reshape(one.shape).to(one)) for one, part in parts if one.requires_grad]
        # Not materialized: a function whose gradient has no graph must not pass for one whose derivative is zero.
        (product,) = torch.autograd.grad(
            [one for one, _ in linked], cotangent, [part for _, part in linked], retain_graph=True
        )
        return product.reshape(-1).double()

    return Jacobian(output.numel(), sum(sizes), apply, transposed)


def spectrum(jacobian: Jacobian, draw: Callable[[int, int], torch.Tensor]) -> tuple[float, float]:
    """The largest singular value and the root mean square of all of them (there are min(rows, columns)).

    Power iteration on J^T J; the squared Frobenius norm is the square of what it found, and what random cotangents see
    of the rest (Hutchinson 1989, deflated as in Meyer et al. 2021, "Hutch++", arXiv:2010.09649).

    Args:
        jacobian: the map.
        draw: standard normal numbers, from the number of the vector and its size.

    Raises:
        Unmeasured: the products are not those of one matrix and its transpose.
    """
    v = _unit(draw(0, jacobian.columns))
    largest, left = 0.0, torch.zeros(jacobian.rows, dtype=torch.float64, device=v.device)
    for _ in range(STEPS):
        product = jacobian.apply(v)
        before, largest = largest, float(product.norm())
        left = _unit(product)
        back = jacobian.transposed(left)
        if abs(float(back @ v) - largest) > ADJOINT * largest:
            raise Unmeasured("the gradient of its gradient is another function's")
        v = _unit(back)
        if not math.isfinite(largest) or abs(largest - before) <= SETTLED * largest:
            break
    rest = 0.0
    for number in range(1, PROBES + 1):
        u = draw(number, jacobian.rows)
        rest += float(jacobian.transposed(u - (u @ left) * left).square().sum()) / PROBES
    return largest, math.sqrt((largest * largest + rest) / min(jacobian.rows, jacobian.columns))


def _unit(vector: torch.Tensor) -> torch.Tensor:
    norm = vector.norm()
    return vector / torch.where(norm > 0, norm, torch.ones_like(norm))


def jacobian_spectrum(subject: Subject, batch: int, seed: int) -> tuple[float, float, float]:
    """``(sigma_max, RMS of the singular values, how many there are)`` of the network as it is.

    By its floating-point inputs, or by what its first embedding puts out where it has none.

    Raises:
        Unmeasured: nothing reaches the output that could be differentiated by, an operation on the way cannot be
            differentiated twice, or the Jacobian is too large.
    """
    leaves: list[torch.Tensor] = []
    call = subject.call(min(batch, SAMPLES), seed).changed(lambda _place, given: _opened(given, leaves))
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False):
            output = _output(subject.model, call, leaves)
            jacobian = jacobian_of(leaves, output)
            largest, rms = spectrum(jacobian, lambda number, size: _drawn(seed, number, size).to(output.device))
    except (RuntimeError, NotImplementedError) as error:
        if raised_here(error):
            raise
        raise Unmeasured(first_line(error)) from error
    return largest, rms, float(min(jacobian.rows, jacobian.columns))


def _opened(given: torch.Tensor, leaves: list[torch.Tensor]) -> torch.Tensor:
    if unmeasurable(given) is not None or not given.is_floating_point():
        return given
    leaves.append(given.detach().requires_grad_())
    return leaves[-1].clone()  # the model may change it in place


def _drawn(seed: int, number: int, size: int) -> torch.Tensor:
    return Variates(seed, f"@jacobian.{number}").normal((size,)).double()


def _output(model: nn.Module, call: Call, leaves: list[torch.Tensor]) -> torch.Tensor:
    """The first output that depends on the leaves; without any, the first embedding's output becomes one."""

    def opened(output: Any) -> Any:
        return _opened(output, leaves) if not leaves and isinstance(output, torch.Tensor) else output

    with outputs_changed((each for each in model.modules() if isinstance(each, nn.Embedding)), opened):
        output = run_model(model, call)
    found = (one for _, one in tensors_in(output) if one.requires_grad and one.is_floating_point() and one.numel())
    first = next(found, None)
    if not leaves or first is None:
        raise Unmeasured("no floating-point input and no embedding reaches the output")
    sizes = max(first.numel(), sum(one.numel() for one in leaves))
    if sizes > LARGEST:
        raise Unmeasured(f"{sizes:,} numbers on one side")
    return first


measurement(
    Measurement(
        "jacobian",
        "largest singular value of the input-output Jacobian, the root mean square of all, and their number",
        jacobian_spectrum,
    )
)
