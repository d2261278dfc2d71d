"""What a leaf says of its options, and of a mistake in them. Options are the fields of a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from initprobe.errors import UsageError
from initprobe.records import Option


@dataclass(frozen=True, slots=True)
class OptionCard:
    """One option of a leaf.

    Attributes:
        accepts: what it may be, as text (``number > 0 | auto``).
    """

    name: str
    accepts: str
    default: Option
    description: str = ""


def option_cards(leaf: type[BaseModel]) -> tuple[OptionCard, ...]:
    """The options of a leaf, read off its fields."""
    properties = leaf.model_json_schema()["properties"] if leaf.model_fields else {}
    return tuple(
        OptionCard(name, _accepts(properties[name]), field.default, field.description or "")
        for name, field in leaf.model_fields.items()
    )


def option_mistake(
    noun: str, name: str, options: Sequence[OptionCard], given: Mapping[str, object], error: ValidationError
) -> UsageError:
    """The first mistake as one sentence that names leaf, option and what would be right.

    Args:
        noun: what a leaf is called (``scheme``).
        name: the leaf's name.
        options: those that it has.
        given: what it was asked for.
        error: what pydantic says of that.
    """
    first = error.errors()[0]
    if not first["loc"]:  # what a leaf says of its options taken together
        return UsageError(f"{noun} {name!r}: {first.get('ctx', {}).get('error', first['msg'])}")
    key = str(first["loc"][0])
    known = next((option for option in options if option.name == key), None)
    if known is None:
        near = get_close_matches(key, [option.name for option in options], n=1)
        hint = f"did you mean {near[0]!r}?" if near else listed_options(name, options)
        return UsageError(f"{noun} {name!r} has no option {key!r}", hint=hint)
    value = given[key]
    near = get_close_matches(value, known.accepts.split(" | "), n=1) if isinstance(value, str) else []
    return UsageError(
        f"option {key!r} of {noun} {name!r} is {value!r}; it takes {known.accepts}",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def listed_options(name: str, options: Sequence[OptionCard]) -> str:
    """The names of a leaf's options in a sentence."""
    names = ", ".join(option.name for option in options)
    return f"its options are {names}" if names else f"{name} takes no options"


def _accepts(schema: Mapping[str, Any]) -> str:
    """A JSON schema of one value as a person reads it."""
    if "anyOf" in schema:
        return " | ".join(_accepts(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    words = {"number": "number", "integer": "whole number", "boolean": "True | False", "null": "None"}
    text = words.get(schema.get("type", ""), "text")
    bounds = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
    return f"{text} {' and '.join(limits)}" if limits else text
