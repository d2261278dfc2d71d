"""What a layer of the YAML language is: options that pydantic checks, and a module built where the layer stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema
from torch import nn

from initprobe.registry import Registry

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Annotates a type with what it wants, in words: ``'out' must be <a whole number from 1 up>, not 'abc'``.

    Attributes:
        text: the words between ``must be`` and ``not``.
        hint: what to do, where the words do not say it.
    """

    text: str
    hint: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The same schema with one error for everything that can be wrong."""
        context = {"wanted": self.text, "hint": self.hint}
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="wanted", custom_error_message="{wanted}", custom_error_context=context
        )


Count = Annotated[int, Field(ge=1), Wanted("a whole number from 1 up")]
Whole = Annotated[int, Field(ge=0), Wanted("a whole number from 0 up")]
Number = Annotated[float, Wanted("a number")]
Positive = Annotated[float, Field(gt=0), Wanted("a number above 0")]
Probability = Annotated[float, Field(ge=0, le=1), Wanted("a number from 0 to 1")]
Flag = Annotated[bool, Wanted("true or false")]
Text = Annotated[str, Field(min_length=1), Wanted("text")]
PerAxis = Annotated[Count | list[Count], Wanted("a whole number from 1 up, or a list with one per axis")]
PaddingPerAxis = Annotated[Whole | list[Whole], Wanted("a whole number from 0 up, or a list with one per axis")]
LayerName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$"), Wanted("made of letters, digits, _ and - (at most 80)")
]


class Section(BaseModel):
    """A mapping of the document: unknown keys are errors, values are never converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Ignored(Section):
    """A rule that is not reported here."""

    rule: Text = Field(description="Name or code of the rule")
    reason: Text | None = Field(default=None, description="Why it does not matter here")


class Misfit(Exception):  # noqa: N818 - what happens to the layer, not to the program
    """The layer cannot stand where it stands.

    Attributes:
        hint: what to do about it.
        key: the option it is about, None for the whole layer.
    """

    def __init__(self, message: str, *, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.key = key


@dataclass(frozen=True, slots=True)
class Signal:
    """What reaches a layer.

    Attributes:
        shape: shape of one sample, without the batch axis.
        vocab: for token ids, how many there are; None for real numbers.
    """

    shape: Shape
    vocab: int | None = None

    def shaped(self, *shape: int) -> Signal:
        """The same numbers in another shape."""
        return Signal(shape, self.vocab)


@dataclass(frozen=True, slots=True)
class Branch:
    """A module and the signal that leaves it."""

    module: nn.Module
    signal: Signal


class BuildInner(Protocol):
    """Builds a list of layers inside another layer."""

    def __call__(self, layers: Sequence[Layer], key: str, name: str, signal: Signal, memory: Signal | None) -> Branch:
        """See ``Incoming.sequence``."""
        ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """Where a layer stands.

    Attributes:
        signal: what reaches it.
        inner: builds the layers inside it.
        earlier: the modules of the layers that were built before it, by their paths.
        memory: what a layer around it lets it read beside its input, if one does.
    """

    signal: Signal
    inner: BuildInner
    earlier: Mapping[str, nn.Module] = field(default_factory=dict)
    memory: Signal | None = None

    @property
    def shape(self) -> Shape:
        """Shape of one sample, without the batch axis."""
        return self.signal.shape

    def axes(self, *names: str) -> Shape:
        """The shape, when it has exactly these axes.

        Raises:
            Misfit: it has more or fewer.
        """
        if len(self.shape) != len(names):
            wanted = f"({names[0]},)" if len(names) == 1 else f"({', '.join(names)})"
            raise Misfit(f"needs an input of shape {wanted}, here it is {self.shape}")
        return self.shape

    def last(self, count: int = 1) -> Shape:
        """The last axes of the shape.

        Raises:
            Misfit: it has fewer.
        """
        if len(self.shape) < count:
            raise Misfit(
                f"needs an input with at least {count} {'axes' if count > 1 else 'axis'}, here it is {self.shape}"
            )
        return self.shape[len(self.shape) - count :]

    def sequence(
        self,
        layers: Sequence[Layer],
        key: str,
        *,
        name: str = "",
        signal: Signal | None = None,
        memory: Signal | None = None,
    ) -> Branch:
        """Build layers inside this one, one after the other.

        Args:
            layers: the value of one of this layer's options.
            key: the name of that option.
            name: the attribute of this layer's module that will hold them; empty when they are the module itself.
            signal: what reaches the first of them; what reaches this layer when not given.
            memory: what all of them may read beside it; what this layer may read when not given.
        """
        reaching = self.signal if signal is None else signal
        return self.inner(layers, key, name, reaching, self.memory if memory is None else memory)


class Layer(Section):
    """A layer of the YAML language.

    A subclass declares its options as fields and builds a module from them. A layer with layers inside it also says how
    many modules that makes.

    Attributes:
        tokens: whether it takes token ids, too.
        ends: whether a network ends with it: it has several outputs, and no layer can stand behind it or around it.
        summary: what it is, for lists: the first line of its docstring.
    """

    tokens: ClassVar[bool] = False
    ends: ClassVar[bool] = False
    summary: ClassVar[str] = ""

    type: str = Field(description="What the layer is")
    name: LayerName | None = Field(
        default=None, description="Its name in the network; its type, numbered, when not given"
    )
    ignore: list[Ignored] = Field(default_factory=list, description="Rules that are not reported for it")

    def build(self, incoming: Incoming) -> nn.Module | Branch:
        """The module, made with torch's own constructors on the current default device.

        A Branch also says what leaves the module; without it, a run on the meta device tells, and the first such run
        of a process loads two seconds' worth of torch.

        Raises:
            Misfit: the layer cannot stand here. ValueError and RuntimeError of torch are told as such, too.
        """
        raise NotImplementedError

    def modules(self) -> int:
        """How many modules it becomes at most, by arithmetic alone: what reaches it may leave some of them out."""
        return 1


if TYPE_CHECKING:
    AnyLayer = Layer

Layers = Annotated[list["AnyLayer"], Field(min_length=1)]
"""Layers inside a layer; the grammar fills in what a layer may be once all blocks are known."""


def per_axis(value: int | list[int], count: int, key: str) -> Shape:
    """One number per axis.

    Raises:
        Misfit: there are more or fewer than ``count``.
    """
    numbers = (value,) * count if isinstance(value, int) else tuple(value)
    if len(numbers) != count:
        raise Misfit(f"has {count} {'axes' if count > 1 else 'axis'}, {key!r} has {len(numbers)} numbers", key=key)
    return numbers


def windows(sizes: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape | None = None) -> Shape:
    """How many windows fit along each axis: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.

    Raises:
        Misfit: not even one fits.
    """
    counts = []
    for axis, size in enumerate(sizes):
        reach = (dilation[axis] if dilation else 1) * (kernel[axis] - 1) + 1
        counts.append((size + 2 * padding[axis] - reach) // stride[axis] + 1)
        if counts[-1] < 1:
            room = size + 2 * padding[axis]
            raise Misfit(f"cannot fit a kernel of {reach} into a size of {room}, here it is {sizes}", key="kernel")
    return tuple(counts)


BLOCKS: Registry[type[Layer]] = Registry("block", "initprobe.load.blocks", "initprobe.blocks")

LayerType = TypeVar("LayerType", bound=type[Layer])


def block(name: str, *, aliases: tuple[str, ...] = ()) -> Callable[[LayerType], LayerType]:
    """Register a layer under the ``type`` it has in YAML."""

    def register(layer: LayerType) -> LayerType:
        layer.summary = (layer.__doc__ or name).strip().splitlines()[0]
        known: Any = Literal[(name, *aliases)]
        fields: dict[str, Any] = {"type": (known, Field(description="What the layer is"))}
        named = create_model(
            layer.__name__, __base__=layer, __module__=layer.__module__, __doc__=layer.__doc__, **fields
        )
        BLOCKS.add(name, cast("type[Layer]", named), aliases=aliases)
        return layer

    return register
