"""Weights as matrices between channels: one per group, at one tap of a convolution's kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from initprobe.init.fans import UndrawableError
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network

CONVOLUTIONS: frozenset[Role] = frozenset(["conv", "depthwise", "transposed"])


@dataclass(frozen=True, slots=True)
class Kernel:
    """How a weight joins channels.

    Attributes:
        shape: of the weight.
        order: its axes as outputs, inputs, taps.
        groups: how many groups of channels keep to themselves.
        outputs, inputs: channels of one group.
        split: which of the first two axes counts all groups (0: outputs, 1: inputs).
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    groups: int
    outputs: int
    inputs: int
    split: int

    @property
    def taps(self) -> tuple[int, ...]:
        """Extents of the kernel, empty for a plain matrix."""
        return tuple(self.shape[axis] for axis in self.order[2:])

    @property
    def even(self) -> bool:
        """Whether the kernel has no middle along some axis."""
        return any(extent % 2 == 0 for extent in self.taps)

    def middle(self, numbers: Tensor) -> Tensor:
        """The matrices at the middle tap, (groups, outputs, inputs); behind the middle of an even kernel."""
        moved = numbers.permute(self.order)
        for extent in reversed(self.taps):
            moved = moved[..., extent // 2]
        if self.split == 0:
            return moved.reshape(self.groups, self.outputs, self.inputs)
        return moved.reshape(self.outputs, self.groups, self.inputs).transpose(0, 1)

    def at_middle(self, matrices: Tensor) -> Tensor:
        """A weight with these matrices, (groups, outputs, inputs), at the middle tap, and zero elsewhere."""
        values = matrices.new_zeros(self.shape)
        flat = matrices if self.split == 0 else matrices.transpose(0, 1)
        shape = [self.shape[axis] for axis in self.order[:2]]
        target = values.permute(self.order)
        for extent in reversed(self.taps):
            target = target[..., extent // 2]
        target.copy_(flat.reshape(shape))
        return values


def kernel_of(weight: Weight, network: Network) -> Kernel:
    """How a weight joins channels.

    Raises:
        UndrawableError: it is no matrix and no convolution, or its layout is not known.
    """
    shape = weight.shape
    convolution = weight.role in CONVOLUTIONS
    if len(shape) < 2 or 0 in shape:
        raise UndrawableError(f"a tensor of shape {shape} joins no channels")
    if len(shape) > 2 and not convolution:
        raise UndrawableError(f"a tensor of {len(shape)} axes that is no convolution is no single matrix")
    outputs = 0 if weight.unit_axis is None and not convolution else weight.unit_axis
    if outputs is None:
        raise UndrawableError("which of its axes counts the outputs is not known")
    inputs = {0: 1, 1: 0}.get(outputs, 2 * len(shape) - 3 - outputs)  # torch's layouts, or taps before channels
    order = (outputs, inputs, *(axis for axis in range(len(shape)) if axis not in (outputs, inputs)))
    split = 1 if weight.role == "transposed" else 0
    merged = shape[order[split]]
    groups = _groups(weight, network, order) if convolution else 1
    if groups < 1 or merged % groups:
        raise UndrawableError(f"{merged} channels do not make {groups} groups")
    sizes = [shape[outputs], shape[inputs]]
    sizes[split] //= groups
    return Kernel(shape, order, groups, sizes[0], sizes[1], split)


def matrix_of(weight: Weight, numbers: Tensor) -> Tensor:
    """A row per output; a column for everything that it sums over.

    Raises:
        UndrawableError: there are no rows and columns, or several matrices are stacked into one tensor.
    """
    if len(weight.shape) < 2 or 0 in weight.shape:
        raise UndrawableError(f"a tensor of shape {weight.shape} has no rows and columns")
    axis = weight.unit_axis or 0
    matrix = numbers.movedim(axis, 0).reshape(weight.shape[axis], -1)
    if weight.role not in CONVOLUTIONS and len(weight.shape) > 2 and weight.fan_in not in (None, matrix.shape[1]):
        raise UndrawableError("several matrices are stacked into it")
    return matrix


def from_matrix(weight: Weight, matrix: Tensor) -> Tensor:
    """The weight whose ``matrix_of`` this is."""
    axis = weight.unit_axis or 0
    extents = [weight.shape[axis], *weight.shape[:axis], *weight.shape[axis + 1 :]]
    return matrix.reshape(extents).movedim(0, axis)


def _groups(weight: Weight, network: Network, order: tuple[int, ...]) -> int:
    """The groups of a convolution, of which the record knows only what they do to the fans."""
    stated = getattr(network.module(weight), "groups", None)
    if isinstance(stated, int):
        return stated
    outputs = weight.shape[order[0]]
    if weight.role == "depthwise":
        return outputs
    feeds = outputs * math.prod(weight.shape[axis] for axis in order[2:])
    if weight.role == "conv" and weight.fan_out is not None and round(feeds / weight.fan_out) != 1:
        raise UndrawableError("its groups are not known: its module does not state them, and its stride hides them")
    return 1
