"""Where a batch comes from: drawn from a shape, a data file, the tensors of a factory, a function."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from initprobe.errors import TargetError, UsageError
from initprobe.load.importing import importable
from initprobe.load.usercode import running, seeded
from initprobe.subject import Call
from initprobe.variates import Variates

FLOATS: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
INTEGERS: Mapping[str, torch.dtype] = {
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
}
SAMPLE_LIMIT = 2**28
"""Numbers in one sample: a gibibyte in float32."""

FORMS = "write --input 3,224,224 or --input 'ids=int64[128]<50257'; the batch axis is not part of it (--batch)"
_INPUT = re.compile(
    r"""\s* (?:(?P<name>[^\W\d]\w*)\s*=\s*)?
        (?: (?P<dtype>[a-z]+[0-9]*)?\s*\[(?P<bracketed>[0-9,\s]*)\] | (?P<bare>[0-9][0-9,\s]*) )
        \s*(?:<\s*(?P<vocab>[0-9]+))?\s*""",
    re.VERBOSE,
)
_EXTENTS = re.compile(r"\s*(?:[0-9]{1,12}\s*(?:,\s*[0-9]{1,12}\s*)*,?)?\s*")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input tensor, without its batch axis.

    Attributes:
        name: keyword argument it is passed as; None passes it by position.
        shape: shape of one sample.
        dist: ``normal`` (standard), ``uniform`` (in [-1, 1)) or ``tokens`` (whole numbers in [0, vocab)).
        vocab: bound of the tokens; only for ``tokens``.
        dtype: name of the dtype. An integer one (default int64) is kept; a floating-point one says no more than that
            the input is floating point, because it arrives in the dtype of the probe.

    Raises:
        UsageError: the parts contradict each other, or a sample is larger than ``SAMPLE_LIMIT`` numbers.
    """

    name: str | None
    shape: tuple[int, ...]
    dist: Literal["normal", "uniform", "tokens"] = "normal"
    vocab: int | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        label = f"the input {self.name!r}" if self.name else "an input"
        if any(extent < 1 for extent in self.shape):
            raise UsageError(f"{label} has an empty axis: {list(self.shape)}", hint=FORMS)
        if math.prod(self.shape) > SAMPLE_LIMIT:
            raise UsageError(f"{label} has more than {SAMPLE_LIMIT:,} numbers in one sample")
        if self.dtype is not None and self.dtype not in FLOATS and self.dtype not in INTEGERS:
            known = ", ".join([*FLOATS, *INTEGERS])
            raise UsageError(f"{label} has the unknown dtype {self.dtype!r}", hint=f"one of {known}")
        if self.dtype in INTEGERS and (self.dist != "tokens" or self.vocab is None):
            raise UsageError(
                f"{label} is {self.dtype} and has no bound",
                hint=f"add one: --input '{self._text()}<50257' draws whole numbers from 0 to 50256",
            )
        if self.dist == "tokens":
            self._check_tokens(label)
        elif self.vocab is not None:
            raise UsageError(f"{label} has a bound, which only whole numbers have", hint=FORMS)

    def _check_tokens(self, label: str) -> None:
        if self.vocab is None or self.vocab < 1:
            raise UsageError(f"{label} consists of tokens and needs a vocabulary of at least 1", hint=FORMS)
        if self.dtype in FLOATS:
            raise UsageError(f"{label} consists of tokens and cannot be {self.dtype}", hint=FORMS)
        largest = torch.iinfo(INTEGERS[self.dtype or "int64"]).max
        if self.vocab - 1 > largest:
            raise UsageError(f"{label} is {self.dtype or 'int64'}, which ends at {largest}, below {self.vocab - 1}")

    def _text(self) -> str:
        name = f"{self.name}=" if self.name else ""
        return f"{name}{self.dtype or ''}[{','.join(map(str, self.shape))}]"

    def draw(self, batch: int, variates: Variates, dtype: torch.dtype) -> torch.Tensor:
        """A tensor of shape (batch, *shape) on the CPU; floats in ``dtype``."""
        shape = (batch, *self.shape)
        if self.dist == "tokens":
            assert self.vocab is not None
            return variates.integers(shape, self.vocab).to(INTEGERS[self.dtype or "int64"])
        if self.dist == "uniform":
            return variates.uniform(shape).mul_(2).sub_(1).to(dtype)
        return variates.normal(shape).to(dtype)


def parse_input(text: str) -> InputSpec:
    """An input as ``--input`` takes it: ``3,224,224``, ``[16]``, ``x=float32[3,32,32]``, ``ids=int64[128]<50257``.

    Raises:
        UsageError: it is neither; the message shows both forms.
    """
    found = _INPUT.fullmatch(text)
    extents = (found["bracketed"] if found["bare"] is None else found["bare"]) if found else ""
    if found is None or not _EXTENTS.fullmatch(extents):
        raise UsageError(f"cannot read the input {text!r}", hint=FORMS)
    if found["vocab"] and len(found["vocab"]) > len(str(2**63)):
        raise UsageError(f"the bound in {text!r} is beyond int64", hint=FORMS)
    return InputSpec(
        name=found["name"],
        shape=tuple(int(extent) for extent in extents.split(",") if extent.strip()),
        dist="tokens" if found["vocab"] else "normal",
        vocab=int(found["vocab"]) if found["vocab"] else None,
        dtype=found["dtype"],
    )


@dataclass(frozen=True, slots=True)
class DrawnInputs:
    """Draws every input from its own generator; unnamed ones are positional arguments in order.

    Raises:
        UsageError: two inputs have one name.
    """

    specs: tuple[InputSpec, ...]

    def __post_init__(self) -> None:
        names = [spec.name for spec in self.specs if spec.name]
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"two inputs are called {name!r}")

    @property
    def fixed(self) -> None:
        """Any batch size can be drawn."""
        return

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch; see ``subject.Inputs``."""
        args, kwargs = [], {}
        for index, spec in enumerate(self.specs):
            tensor = spec.draw(batch, Variates(seed, f"@input.{spec.name or index}"), dtype)
            if spec.name:
                kwargs[spec.name] = tensor
            else:
                args.append(tensor)
        return Call(tuple(args), kwargs)


def as_call(value: object, who: str) -> Call:
    """A tensor, a tuple of arguments or a mapping of keyword arguments as the arguments of a call.

    Args:
        value: what user code gave as inputs.
        who: what gave it, for the message.

    Raises:
        TargetError: it is none of them, or holds no tensor, or no sample.
    """
    call = None
    if isinstance(value, torch.Tensor):
        call = Call((value,))
    elif isinstance(value, (tuple, list)):
        call = Call(tuple(value))
    elif isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        call = Call((), dict(value))
    if call is None or not _tensors(call):
        raise TargetError(
            f"the inputs of {who} are no tensors but {type(value).__name__}",
            hint="inputs are a tensor, a tuple of them, or a dict of keyword arguments, with the batch axis first",
        )
    if not _leading_size(call):
        raise TargetError(f"the inputs of {who} hold no sample: their first axis, that of the batch, is empty")
    return call


class GivenInputs:
    """Tensors that the target brought: the same for every seed, in its own batch size.

    Args:
        call: the arguments; a batch is a copy of them, so that a model that writes into its input harms nobody.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.fixed = _leading_size(call)

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:  # noqa: ARG002
        """Copies of the tensors; see ``subject.Inputs``."""
        return _copied(self._call, dtype)


@dataclass(frozen=True)
class FunctionInputs:
    """Batches of a function: ``fn(batch, seed)``, ``fn(batch)`` or ``fn()``, run with seeded global generators.

    Attributes:
        function: returns a tensor, a tuple or a dict of keyword arguments.
        name: what it is called in messages.
        roots: directories that are importable while it runs.
    """

    function: Callable[..., Any]
    name: str
    roots: tuple[Path, ...] = ()

    @cached_property
    def fixed(self) -> int | None:
        """The size of its batches where it cannot be asked for one."""
        return None if self._takes else _leading_size(self._call(1, 0))

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch; see ``subject.Inputs``.

        Raises:
            TargetError: the function raised, or returned no inputs.
        """
        return _copied(self._call(batch, seed), dtype)

    @cached_property
    def _takes(self) -> int:
        try:
            parameters = inspect.signature(self.function).parameters.values()
        except ValueError:  # a built-in without a signature
            return 2
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
            return 2
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return min(2, sum(parameter.kind in positional for parameter in parameters))

    def _call(self, batch: int, seed: int) -> Call:
        with importable(self.roots), running(self.name), seeded(seed):
            value = self.function(*(batch, seed)[: self._takes])
        return as_call(value, self.name)


def _copied(call: Call, dtype: torch.dtype) -> Call:
    def copy(tensor: torch.Tensor) -> torch.Tensor:
        plain = tensor.detach().to("cpu", copy=True)
        return plain.to(dtype) if plain.is_floating_point() else plain

    return Call(_mapped(call.args, copy), _mapped(dict(call.kwargs), copy))


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The value with every tensor in its tuples, lists and dicts changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(item, change) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    return value


def _tensors(call: Call) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    _mapped((call.args, dict(call.kwargs)), keep)
    return found


def _leading_size(call: Call) -> int:
    return next((len(tensor) for tensor in _tensors(call) if tensor.ndim), 1)
