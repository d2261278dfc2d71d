"""What an exported program takes: its shapes were fixed, or bounded, when it was exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from initprobe.errors import UsageError
from initprobe.load.limits import SMALLEST_BATCH
from initprobe.subject import Call, Inputs

Extent = tuple[int, int | None]
"""The least and the most numbers along an axis; None where there is no most."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One tensor that a program takes.

    Attributes:
        dtype: its dtype when the program was exported.
        extents: of every axis, the batch axis first.
    """

    dtype: torch.dtype
    extents: tuple[Extent, ...]

    def fits(self, value: object) -> bool:
        """Whether the program takes this value; floating-point tensors come in the dtype of the probe."""
        return (
            isinstance(value, torch.Tensor)
            and value.is_floating_point() == self.dtype.is_floating_point
            and len(value.shape) == len(self.extents)
            and all(map(_within, value.shape, self.extents))
        )

    @property
    def option(self) -> str:
        """An ``--input`` that fits."""
        shape = ",".join(str(least) for least, _ in self.extents[1:])
        if self.dtype.is_floating_point:
            return f"--input {shape or '[]'}"
        return f"--input '{_plain(self.dtype)}[{shape}]<BOUND'"

    def __str__(self) -> str:
        return f"{_plain(self.dtype)}[{', '.join(map(_told, self.extents))}]"


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments of a program.

    Attributes:
        name: the program, for messages.
        taken: its arguments in order, those inside of tuples and dicts too; what is no tensor is the value itself.
        spec: how they are nested, a pair of positional arguments and keyword arguments.
    """

    name: str
    taken: tuple[Any, ...]
    spec: pytree.TreeSpec

    @classmethod
    def of(cls, program: ExportedProgram, name: str) -> Signature:
        """Read it off a program."""
        values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
        taken = tuple(
            _taken(values[given], program) if isinstance(given, str) and given in values else given
            for given in program.graph_signature.user_inputs
        )
        return cls(name, taken, program.call_spec.in_spec)

    @property
    def batch(self) -> Extent:
        """The samples that it takes at once."""
        return next((one.extents[0] for one in self.taken if isinstance(one, Taken) and one.extents), (1, None))

    @property
    def hint(self) -> str:
        """Options of the command line that make its input."""
        args, kwargs = pytree.tree_unflatten(list(self.taken), self.spec)
        if kwargs or not all(isinstance(one, Taken) for one in args):
            return "--batch-from pkg:fn, a function that makes all its arguments"
        return " ".join(one.option for one in args)

    def check(self, call: Call) -> None:
        """Hold a call to it.

        Raises:
            UsageError: the program does not take these arguments; the message has both.
        """
        names = list(pytree.tree_unflatten(list(self.taken), self.spec)[1])
        ordered = {name: call.kwargs[name] for name in names if name in call.kwargs} | dict(call.kwargs)
        values, spec = pytree.tree_flatten((call.args, ordered))
        if spec == self.spec and all(map(_fits, self.taken, values)):
            return
        hint = self.hint
        first = next((value for value in values if isinstance(value, torch.Tensor) and value.ndim), None)
        if first is not None and not _within(len(first), self.batch):
            hint = f"--batch {self.batch[1] if len(first) > self.batch[0] else self.batch[0]}"
        taken, given = self._shown(self.taken, self.spec), self._shown(values, spec)
        raise UsageError(f"{self.name} was exported for {taken} and is given {given}", hint=hint)

    @staticmethod
    def _shown(values: Any, spec: pytree.TreeSpec) -> str:
        args, kwargs = pytree.tree_unflatten([_described(value) for value in values], spec)
        texts = [*map(str, args), *(f"{name}={value}" for name, value in kwargs.items())]
        return f"({', '.join(texts)})" if len(texts) != 1 else texts[0]


@dataclass(frozen=True, slots=True)
class SignedInputs:
    """Inputs that are held to a signature.

    Attributes:
        given: makes the batches.
        signature: what they must fit.
    """

    given: Inputs
    signature: Signature

    @property
    def fixed(self) -> int | None:
        """The only batch that the program takes, or the least where smaller ones would be tried."""
        least, most = self.signature.batch
        return self.given.fixed or (least if least == most or least > SMALLEST_BATCH else None)

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch; see ``subject.Inputs``.

        Raises:
            UsageError: the program does not take it.
        """
        call = self.given.make(batch, seed, dtype)
        self.signature.check(call)
        return call


def _taken(value: Any, program: ExportedProgram) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return Taken(value.dtype, tuple(_extent(size, program) for size in value.shape))


def _extent(size: Any, program: ExportedProgram) -> Extent:
    if isinstance(size, int):
        return size, size
    bounds = program.range_constraints.get(size.node.expr)
    if bounds is None:  # tied to another axis by arithmetic: torch will say
        return 0, None
    return int(bounds.lower), int(bounds.upper) if bounds.upper.is_Integer else None


def _fits(taken: Any, value: object) -> bool:
    return taken.fits(value) if isinstance(taken, Taken) else True


def _within(size: int, extent: Extent) -> bool:
    least, most = extent
    return least <= size and (most is None or size <= most)


def _told(extent: Extent) -> str:
    least, most = extent
    return str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"


class _Word(str):
    """Text without quotes where it stands in a tuple or a dict."""

    __slots__ = ()
    __repr__ = str.__str__


def _described(value: object) -> _Word:
    if isinstance(value, torch.Tensor):
        return _Word(f"{_plain(value.dtype)}{list(value.shape)}")
    return _Word(value)


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
