"""What a spec says about schemes: which one draws which weight."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from initprobe.load.blocks.base import Section, Text, Wanted
from initprobe.load.tags import TAG

Word = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$"),
    Wanted("the name of a scheme", hint="options stand beside it: {scheme: normal, std: 0.02}"),
]
OptionValue = Annotated[float | int | bool | str | None, Wanted("a number, true, false or text")]


class SchemeMapping(Section):
    """A scheme with options."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OptionValue] = Field(init=False)

    scheme: Word = Field(description="Name of the scheme; every other key is an option of it")


def scheme_tag(value: Any) -> str | None:
    """Whether a scheme is given with options."""
    return TAG + ("scheme" if isinstance(value, dict) else "name")


Scheme = Annotated[
    Annotated[Word, Tag(TAG + "name")] | Annotated[SchemeMapping, Tag(TAG + "scheme")],
    Discriminator(scheme_tag),
]


class MatchMapping(Section):
    """Which weights an override is for."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["type"]}, {"required": ["name"]}]})

    type: Text | None = Field(
        default=None,
        description="Type of layer (`linear`), role of weight (`embedding`, `norm`) or class of module (`Linear`)",
    )
    name: Text | None = Field(default=None, description="Shell pattern over module paths and parameter names")

    @model_validator(mode="after")
    def check_given(self) -> MatchMapping:
        """One of the two has to be there."""
        if self.type is None and self.name is None:
            raise PydanticCustomError("needs", "'match' needs 'type' or 'name'")
        return self


def match_tag(value: Any) -> str | None:
    """Whether a match is more than a pattern."""
    return TAG + ("match" if isinstance(value, dict) else "pattern")


class OverrideSection(Section):
    """Another scheme for some weights; the last one that matches wins."""

    match: Annotated[
        Annotated[Annotated[str, Field(min_length=1), Wanted("a pattern of names")], Tag(TAG + "pattern")]
        | Annotated[MatchMapping, Tag(TAG + "match")],
        Discriminator(match_tag),
    ] = Field(
        description="A shell pattern over module paths and parameter names (`block.*.linear`), or a mapping with `type`"
    )
    scheme: Scheme = Field(description="The scheme for them")


class InitSection(Section):
    """Which scheme draws which weight."""

    default: Scheme | None = Field(
        default=None, description="The scheme for every weight; the network's own init when not given"
    )
    overrides: list[OverrideSection] = Field(default_factory=list, description="Other schemes for some weights")
    only: list[str] = Field(
        default_factory=list,
        description="Shell patterns over module paths and parameter names; nothing else is drawn. Empty: everything",
    )
