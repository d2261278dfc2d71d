"""The grammar of a spec: which keys may stand where, and what their values may be.

The layers of a network are a union over the registered blocks, put together when it is first asked for.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError
from typing_extensions import TypeAliasType

from initprobe.load.blocks.base import BLOCKS, Count, Flag, Layers, Number, Section, Text, Wanted, Whole
from initprobe.load.init_grammar import InitSection, MatchMapping, Scheme, SchemeMapping
from initprobe.load.loss_section import LossFunction, ObjectiveMapping, ProbeLoss
from initprobe.load.tags import TAG
from initprobe.records import Severity


def different(numbers: list[int]) -> list[int]:
    """The numbers, none of which may come twice."""
    if len(set(numbers)) < len(numbers):
        raise ValueError("a number comes twice")
    return numbers


PLAIN: list[JsonValue] = ["normal", "uniform"]
"""Distributions of numbers that are no tokens."""

Seeds = Annotated[
    Annotated[int, Field(ge=1, le=10_000)]
    | Annotated[list[Whole], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(different)],
    Wanted("the number of seeds (from 1 to 10000) or a list of different ones"),
]
SeedCount = Annotated[int, Field(ge=1, le=10_000), Wanted("a whole number from 1 to 10000")]
BatchSize = Annotated[int, Field(ge=1, le=2**20), Wanted(f"a whole number from 1 to {2**20}")]
Dtype = Literal["float32", "float64", "float16", "bfloat16"]
Names = Annotated[list[Text], Wanted("a list of names")]


class DrawnInput(Section):
    """Numbers drawn anew for every seed."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["dist"], "properties": {"dist": {"const": "tokens"}}},
            "then": {"required": ["vocab"]},
            "dependentSchemas": {"vocab": {"required": ["dist"], "properties": {"dist": {"not": {"enum": PLAIN}}}}},
        }
    )

    shape: list[Count] = Field(max_length=16, description="Shape of one sample, without the batch axis")
    dist: Literal["normal", "uniform", "tokens"] = Field(
        default="normal", description="Standard normal, uniform in [-1, 1), or token ids"
    )
    vocab: Count | None = Field(default=None, description="Number of token ids")

    @model_validator(mode="after")
    def check_vocab(self) -> DrawnInput:
        """Tokens have a vocabulary, numbers have none."""
        if self.dist == "tokens" and self.vocab is None:
            raise PydanticCustomError("needs", "tokens need 'vocab', the number of token ids")
        if self.dist != "tokens" and self.vocab is not None:
            raise PydanticCustomError("needs", "'vocab' belongs to `dist: tokens`")
        return self


class FileInput(Section):
    """Samples of a data file."""

    source: Text = Field(
        alias="from",
        description="An .npz file, relative to the spec, or `package.module:function` where code is allowed",
    )
    array: Text | None = Field(default=None, description="Name of the array in the file")


def input_tag(value: Any) -> str | None:
    """Which kind of input a mapping is."""
    if not isinstance(value, dict):
        return None
    return TAG + ("file" if "from" in value else "drawn")


Input = Annotated[
    Annotated[DrawnInput, Tag(TAG + "drawn")] | Annotated[FileInput, Tag(TAG + "file")], Discriminator(input_tag)
]


class LayeredModel(Section):
    """A network written out as layers."""

    input: Input = Field(description="What goes into the first layer")
    layers: Layers = Field(description="The layers, first to last")


class NamedModel(Section):
    """A network that another target builds; it runs only where code is allowed."""

    target: Text = Field(
        description="The target: `file.py:function`, `package.module:function(depth=50)`",
        json_schema_extra={"not": {"pattern": r"(\.[yY][aA]?[mM][lL]|^-|^preset:.*)$"}},
    )
    input: Input | None = Field(default=None, description="What goes into it; the target's own input when not given")


def one_of_both(value: Any) -> Any:
    """A network is written out or named, not both."""
    if isinstance(value, dict) and "target" in value and "layers" in value:
        raise PydanticCustomError("needs", "give either 'layers' or 'target', not both")
    return value


def model_tag(value: Any) -> str | None:
    """Which kind of model a mapping is."""
    if not isinstance(value, dict):
        return None
    return TAG + ("named" if "target" in value else "layered")


Model = Annotated[
    Annotated[LayeredModel, Tag(TAG + "layered")] | Annotated[NamedModel, Tag(TAG + "named")],
    Discriminator(model_tag),
    BeforeValidator(one_of_both),
]


class ProbeSection(Section):
    """How the network is measured."""

    seeds: Seeds = Field(default=5, description="How many seeds, or a list of them")
    max_seeds: SeedCount = Field(default=32, description="How many seeds an undecided verdict may use in all")
    batch: BatchSize | None = Field(default=None, description="Samples per pass; what the memory allows when not given")
    dtype: Dtype | None = Field(default=None, description="Floating-point type of the network and its input")
    device: Text = Field(default="cpu", description="A torch device")
    mode: Literal["train", "eval", "as-is"] = Field(
        default="train", description="Mode of the network while it is measured"
    )
    loss: ProbeLoss = Field(
        default="gaussian",
        description="What is differentiated: a random cotangent on the output (`gaussian`), the target's `own` loss, "
        "own if there is one (`auto`), or an objective",
    )
    backward: Flag = Field(default=True, description="Whether gradients are measured")
    statistics: Names = Field(default_factory=list, description="Statistics to measure beyond the usual ones")


class CheckSection(Section):
    """How the measurement is judged."""

    select: Names = Field(default_factory=list, description="Rules to run: names, codes or families")
    ignore: Names = Field(default_factory=list, description="Rules to leave out")
    fail_on: Literal["error", "warning", "info", "never"] = Field(
        default="error", description="The least severity that fails a check"
    )
    strict: Flag = Field(
        default=False, description="Whether inconclusive verdicts and gaps in coverage count as errors"
    )
    severities: dict[str, Severity] = Field(default_factory=dict, description="Other severities for rules")
    thresholds: dict[str, dict[str, Number]] = Field(
        default_factory=dict, description="Other thresholds, per quantity and severity"
    )
    layer_ignores: dict[str, Names] = Field(
        default_factory=dict, description="Rules to leave out for layers, by shell pattern"
    )
    precision: Literal["float16", "bfloat16"] | None = Field(
        default=None, description="The floating-point type that the network is going to run in"
    )


class SweepSection(Section):
    """A grid of probes: every combination of the values listed here; other keys are ``vars.NAME``."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "patternProperties": {r"^vars\.[A-Za-z_][A-Za-z0-9_]*$": {"type": "array", "minItems": 1, "items": {}}},
            "additionalProperties": False,
            "minProperties": 1,
        },
    )
    __pydantic_extra__: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(init=False)

    scheme: Annotated[list[Scheme], Field(min_length=1)] | None = Field(
        default=None, alias="init.default", description="Schemes for every weight"
    )
    seeds: Annotated[list[Seeds], Field(min_length=1)] | None = Field(
        default=None, alias="probe.seeds", description="Numbers of seeds, or lists of them"
    )
    batch: Annotated[list[BatchSize], Field(min_length=1)] | None = Field(
        default=None, alias="probe.batch", description="Samples per pass"
    )
    dtype: Annotated[list[Dtype], Field(min_length=1)] | None = Field(
        default=None, alias="probe.dtype", description="Floating-point types"
    )


class SpecSchema(Section):
    """A spec: a network, how it is initialized, measured and judged."""

    version: Annotated[Literal[1], Wanted("1", hint="no other version of the language is known")] = Field(
        description="Version of this language: 1"
    )
    extends: Text | None = Field(
        default=None,
        description="Another spec, which this one takes over: a file, relative to this one, or preset:NAME. "
        "Mappings merge, lists and single values replace",
    )
    name: Annotated[str, Field(min_length=1, max_length=80), Wanted("text of at most 80 characters")] | None = Field(
        default=None, description="Short name for tables; the file's name when not given"
    )
    vars: dict[str, Any] = Field(
        default_factory=dict,
        description='Variables: a value that is `"${name}"` is replaced by the variable of that name',
    )
    model: Model = Field(description="The network")
    init: InitSection = Field(default_factory=InitSection, description="Which scheme draws which weight")
    probe: ProbeSection = Field(default_factory=ProbeSection, description="How the network is measured")
    check: CheckSection = Field(default_factory=CheckSection, description="How the measurement is judged")
    compare: Annotated[list[Scheme], Field(min_length=1)] | None = Field(default=None, description="Schemes to compare")
    sweep: SweepSection | None = Field(default=None, description="A grid of probes for `initprobe sweep`")


SECTIONS: dict[str, type[BaseModel]] = {
    "drawn": DrawnInput,
    "file": FileInput,
    "layered": LayeredModel,
    "named": NamedModel,
    "scheme": SchemeMapping,
    "match": MatchMapping,
    "objective": ObjectiveMapping,
    "function": LossFunction,
}
"""The members of unions, by their tags; layers come in by their types."""


def layer_tag(value: Any) -> str | None:
    """Which layer a mapping is; None when there is no such layer."""
    name = value.get("type") if isinstance(value, dict) else None
    return TAG + BLOCKS.canonical(name) if isinstance(name, str) and name in BLOCKS else None


def spelled_out(value: Any) -> Any:
    """A name alone is a layer without options."""
    return {"type": value} if isinstance(value, str) else value


class NameAlone:
    """Annotates the union of layers: in JSON Schema, names stand for the layers that need no option."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The union, or one of the names."""
        bare = [
            alias
            for name, layer in BLOCKS.items()
            if not any(field.is_required() for key, field in layer.model_fields.items() if key != "type")
            for alias in (name, *BLOCKS.aliases_of(name))
        ]
        return {"anyOf": [{"enum": bare}, handler(schema)]}


@cache
def spec_schema() -> type[SpecSchema]:
    """The grammar with every registered block in it."""
    members: Any = tuple(Annotated[layer, Tag(TAG + name)] for name, layer in BLOCKS.items())
    union: Any = Annotated[Union[members], Discriminator(layer_tag), BeforeValidator(spelled_out), NameAlone()]  # noqa: UP007
    namespace = {"AnyLayer": TypeAliasType("AnyLayer", union)}
    models: tuple[type[BaseModel], ...] = (*BLOCKS.values(), LayeredModel, SpecSchema)
    for model in models:
        model.model_rebuild(_types_namespace=namespace)
    return SpecSchema


def section_of(tag: str) -> type[BaseModel] | None:
    """The member of a union that a tag stands for."""
    name = tag.removeprefix(TAG)
    return SECTIONS.get(name) or BLOCKS.get(name)
