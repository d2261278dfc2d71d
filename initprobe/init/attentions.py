"""The matrices of one attention, for schemes that draw them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from initprobe.init.fans import UndrawableError
from initprobe.init.packed import ATTENTION, part_weight
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import nn

    from initprobe.init.network import Network

HEADS = ("num_heads", "num_attention_heads", "n_heads", "n_head", "nhead", "heads")
"""What modules, and the configurations that they hold, call their number of heads."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """One of query, key, value and out.

    Attributes:
        weight: its record, that of a part where it is packed with others.
        units, inputs: how many values it makes, and out of how many.
    """

    weight: Weight
    units: int
    inputs: int


def attention_of(network: Network, weight: Weight) -> dict[str, Matrix]:
    """The matrices of the attention that a weight belongs to, by their names; some may be missing.

    They lie in one residual branch, or else in one module.

    Raises:
        UndrawableError: one has no rows and columns, or there are two of a kind.
    """
    found: dict[str, Matrix] = {}
    for other in network.once(_attentions).get(_place(weight), ()):
        for record in _alone(other):
            name = str(record.attention)
            if name in found:
                raise UndrawableError(
                    f"several attentions are in one place: {found[name].weight.name} and {other.name}"
                )
            found[name] = matrix_of(record)
    return found


def _attentions(network: Network) -> Mapping[int | str, list[Weight]]:
    """The matrices of attentions by the place that they lie in."""
    found: dict[int | str, list[Weight]] = {}
    for weight in network.anatomy.weights:
        if weight.attention is not None and weight.role != "bias":
            found.setdefault(_place(weight), []).append(weight)
    return found


def matrix_of(weight: Weight) -> Matrix:
    """A weight as a matrix.

    Raises:
        UndrawableError: it has no rows and columns.
    """
    if weight.unit_axis not in (0, 1) or len(weight.shape) < 2 or any(extent != 1 for extent in weight.shape[2:]):
        raise UndrawableError(f"a tensor of shape {weight.shape} is no matrix with one row per output")
    return Matrix(weight, weight.shape[weight.unit_axis], weight.shape[1 - weight.unit_axis])


def heads_of(network: Network, weight: Weight) -> int | None:
    """How many heads the attention around a weight has, as its module says or one around it; None where none does."""
    path = weight.module
    while True:
        module = network.model.get_submodule(path)
        found = _said(module)
        if found is not None or not path:
            return found
        path = path.rpartition(".")[0]


def _said(module: nn.Module) -> int | None:
    for owner in (module, getattr(module, "config", None)):
        for name in HEADS:
            value = getattr(owner, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


def _alone(weight: Weight) -> Iterator[Weight]:
    """A weight, or the parts that are packed into it."""
    if {part.name for part in weight.parts} & set(ATTENTION):
        yield from (part_weight(weight, part) for part in weight.parts)
    else:
        yield weight


def _place(weight: Weight) -> int | str:
    """The residual branch, or the path of the attention's module: that of torch's own holds most of them itself."""
    if weight.branch is not None:
        return weight.branch
    owned = weight.name.rpartition(".")[2] == "weight"
    return weight.module.rpartition(".")[0] if owned else weight.module
