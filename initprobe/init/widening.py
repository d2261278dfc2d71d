"""Copies of units: a weight of a narrow network taken over into a wider one that computes the same.

Every unit of the wider layer is a copy of one of the narrower one, and what comes out of a unit is shared among its
copies. Which unit is copied depends on the seed and on both widths alone, so that everything that counts the same units
agrees: the layers of one residual stream, a normalization, its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from initprobe.init.fans import UndrawableError
from initprobe.init.packed import rows
from initprobe.records import Role, Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

VECTORS: frozenset[Role] = frozenset(["bias", "norm", "gate", "other"])
"""Roles whose last axis counts units."""

INPUT_AXIS: dict[Role, int] = {"linear": 1, "conv": 1, "transposed": 0, "recurrent": 1}
"""The axis that is summed over; of a linear weight, the one that does not count its units."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How far one layer's units grew.

    Attributes:
        depth: of the layer.
        role: of its weight.
        old, new: how many units it had, and has.
    """

    depth: int
    role: Role
    old: int
    new: int


def unit_map(seed: int, old: int, new: int, *, even: bool = False) -> Tensor:
    """Which of the ``old`` units each of the ``new`` ones is a copy of; the first ones are themselves.

    Args:
        seed: of the draw.
        old: number of units of the narrow layer.
        new: number of units of the wide one.
        even: copy all of them equally often, up to a rest that is chosen at random.

    Returns:
        Indices, of length ``new``.

    Raises:
        UndrawableError: there are fewer than before.
    """
    import torch

    from initprobe.variates import Variates

    if new < old:
        raise UndrawableError(f"it has {new} units where the source has {old}: only more can be copies")
    variates = Variates(seed, f"@units.{old}.{new}")
    first = torch.arange(old)
    if not even:
        return torch.cat([first, variates.integers((new - old,), old)])
    rest = variates.uniform((old,)).argsort()[: new % old]
    return torch.cat([first.repeat(new // old), rest])


def copies(units: Tensor) -> Tensor:
    """How often the unit that each one copies is there, in all."""
    return units.bincount()[units]


def grown_layers(network: Network) -> list[Widths]:
    """The layers of the network whose units outnumber those of the source, the last one first."""
    return sorted(_grown_layers(network), key=lambda one: -one.depth)


def _grown_layers(network: Network) -> Iterator[Widths]:
    for weight in network.anatomy.weights:
        old = network.in_source(weight)
        if old is None or weight.role in VECTORS or weight.unit_axis is None or old.dim() != len(weight.shape):
            continue
        parts = max(len(weight.parts), 1)
        found = old.shape[weight.unit_axis], weight.shape[weight.unit_axis]
        if found[0] < found[1] and not any(extent % parts for extent in found):
            yield Widths(_depth(weight), weight.role, found[0] // parts, found[1] // parts)


@dataclass(frozen=True, slots=True)
class Widening:
    """Takes weights over from the source of a network.

    Attributes:
        network: the wide one.
        even: whether every unit is copied equally often.
        noise: standard deviation of what is added to the incoming weights of copies, in units of the weight's own.
    """

    network: Network
    even: bool = False
    noise: float = 0.0

    def taken_over(self, weight: Weight, old: Tensor, variates: Variates) -> Tensor:
        """The values of a weight, float64.

        Raises:
            UndrawableError: it has grown in a way that no copying makes up for.
        """
        import torch

        if old.dim() != len(weight.shape):
            raise UndrawableError(f"its shape is {weight.shape}, that of the source {tuple(old.shape)}")
        values = old.detach().to("cpu", torch.float64)
        repeated = None
        grown = [axis for axis, extent in enumerate(weight.shape) if extent != old.shape[axis]]
        if grown:
            self._check(weight)
        for axis in grown:
            if axis == _unit_axis(weight):
                units = self._units(weight, old.shape[axis], axis)
                values = values.index_select(axis, units)
                repeated = is_copy(units)
            elif axis == _input_axis(weight):
                units = self._inputs(weight, old.shape[axis], weight.shape[axis])
                values = values.index_select(axis, units) / _along(copies(units), axis, values.dim())
            else:
                raise UndrawableError(
                    f"axis {axis} has {weight.shape[axis]} entries where the source has {old.shape[axis]}, and they "
                    "are no units"
                )
        if self.noise and repeated is not None and weight.role not in VECTORS:
            shaken = variates.normal(weight.shape).double() * values.std() * self.noise
            values += shaken * _along(repeated, _unit_axis(weight), values.dim())
        return values

    def _check(self, weight: Weight) -> None:
        if weight.attention is not None:
            raise UndrawableError(
                "the scores of an attention sum over the units of a head and are divided by their number: copies of "
                "units change them, so its width has to stay"
            )
        if weight.aliases and weight.role in {"embedding", "linear"}:
            raise UndrawableError(
                "it is used in several places, as a table or a head: what comes out of a copied unit would have to be "
                "shared among the copies in one place and not in the other"
            )
        grouped = weight.role not in VECTORS and getattr(self.network.module(weight), "groups", 1) > 1
        if grouped and not _one_to_one(weight):
            raise UndrawableError("its channels are grouped, and copies of channels would land in other groups")

    def _units(self, weight: Weight, old: int, axis: int) -> Tensor:
        """Which unit of the source each one is, gate by gate where gates are packed."""
        import torch

        if self._is_output(weight):
            raise UndrawableError(
                f"the network has {weight.shape[axis]} outputs where the source has {old}, and nothing says what the "
                "new ones stand for"
            )
        new = weight.shape[axis]
        if len(weight.parts) < 2:
            return self._own(weight, old, new)
        if any(part.size * len(weight.parts) != new or len(part.ranges) != 1 for part in weight.parts):
            raise UndrawableError("the matrices that are packed into it are not of one size, or interleaved")
        share = old // len(weight.parts)
        units = torch.empty(new, dtype=torch.long)
        for place, part in enumerate(weight.parts):
            units[rows(part)] = place * share + self._own(weight, share, part.size)
        return units

    def _own(self, weight: Weight, old: int, new: int) -> Tensor:
        """The units that a weight makes, or those of the layer that a vector belongs to."""
        if weight.role in VECTORS:
            return self._matched(old, new, [one for one in self._layers() if one.depth <= _depth(weight)])
        return self._map(old, new)

    def _is_output(self, weight: Weight) -> bool:
        """Whether its units are the outputs of the network: a head, or the bias of one."""
        return any(one.head for one in self.network.beside(weight))

    def _inputs(self, weight: Weight, old: int, new: int) -> Tensor:
        """Which input of the source each one is.

        The layers of a recurrent module are one operation, and one of them may be before another.
        """
        recurrent = any(one.role == "recurrent" for one in self.network.beside(weight))
        before = [one for one in self._layers() if one.depth < _depth(weight) + recurrent]
        return self._matched(old, new, before)

    def _matched(self, old: int, new: int, layers: Sequence[Widths]) -> Tensor:
        """Where units come from: the nearest layer that grew alike.

        Behind a convolution that was flattened, the positions of a channel go where the channel goes.
        """
        import torch

        for layer in layers:
            if (layer.old, layer.new) == (old, new):
                return self._map(old, new)
            places, rest = divmod(old, layer.old)
            if layer.role in {"conv", "depthwise", "transposed"} and not rest and places * layer.new == new:
                channels = self._map(layer.old, layer.new)
                return (channels[:, None] * places + torch.arange(places)).flatten()
        raise UndrawableError(
            f"no layer before it grew from {old} to {new} units: they may be several layers' side by side"
        )

    def _layers(self) -> list[Widths]:
        """The layers that grew, the last one first."""
        return self.network.once(grown_layers)

    def _map(self, old: int, new: int) -> Tensor:
        return unit_map(self.network.seed, old, new, even=self.even)


def is_copy(units: Tensor) -> Tensor:
    """Whether each one is not the first of its unit."""
    import torch

    order = units.argsort(stable=True)
    repeated = torch.zeros_like(units, dtype=torch.bool)
    repeated[order[1:]] = units[order[1:]] == units[order[:-1]]
    return repeated


def _depth(weight: Weight) -> int:
    return 0 if weight.depth is None else weight.depth


def _along(vector: Tensor, axis: int, rank: int) -> Tensor:
    """A vector shaped to be broadcast along an axis."""
    return vector.reshape([-1 if place == axis else 1 for place in range(rank)])


def _one_to_one(weight: Weight) -> bool:
    return weight.role == "depthwise" and weight.shape[1] == 1


def _unit_axis(weight: Weight) -> int:
    if weight.role in VECTORS or weight.unit_axis is None:
        return len(weight.shape) - 1
    return weight.unit_axis


def _input_axis(weight: Weight) -> int | None:
    if weight.role == "linear" and weight.unit_axis is not None and len(weight.shape) == 2:
        return 1 - weight.unit_axis
    return INPUT_AXIS.get(weight.role)
