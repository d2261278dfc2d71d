"""What a leaf says of its options, and of a mistake in them. Options are the fields of a pydantic model."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from initprobe.errors import UsageError
from initprobe.records import Option

LONGEST_SHOWN = 80

Arguments = Sequence[tuple[str | None, Any]]
"""What stands between the parentheses of a leaf as typed: names (None where there is none) and values."""


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


def parse_call(noun: str, text: str, near: Callable[[str], str | None] = lambda _name: None) -> tuple[str, Arguments]:
    """A leaf as typed, ``name`` or ``name(option=value)``; nothing is evaluated, and a bare word is text.

    Args:
        noun: what a leaf is called in messages.
        text: as typed.
        near: the name that somebody may have meant who writes a dash in it.

    Raises:
        UsageError: the text is no such call.
    """
    shown = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    word = text.partition("(")[0].strip()
    meant = near(word) if "-" in word else None
    hint = f"did you mean {meant!r}?" if meant else "write a name, or name(option=value) with literal values"
    wrong = UsageError(f"{shown!r} is no {noun}", hint=hint)
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, []
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise wrong
        named = [(keyword.arg, _literal(keyword.value)) for keyword in node.keywords]
        positional = [(None, _literal(value)) for value in node.args]
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise wrong from None
    if any(key is None for key, _ in named):
        raise wrong
    return node.func.id, [*positional, *named]


def _literal(node: ast.expr) -> Any:
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


def named_options(noun: str, name: str, options: Sequence[OptionCard], arguments: Arguments) -> dict[str, Any]:
    """Options by name; those without one come in the order of the leaf's card.

    Raises:
        UsageError: there are too many, or one is given twice.
    """
    chosen: dict[str, Any] = {}
    for position, (key, value) in enumerate(arguments):
        if key is None and position >= len(options):
            raise UsageError(f"too many options for {noun} {name!r}", hint=listed_options(name, options))
        option = options[position].name if key is None else key
        if option in chosen:
            raise UsageError(f"option {option!r} of {noun} {name!r} is given twice")
        chosen[option] = value
    return chosen


def _accepts(schema: Mapping[str, Any]) -> str:
    """A JSON schema of one value as a person reads it."""
    if "anyOf" in schema:
        return " | ".join(_accepts(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    words = {"number": "number", "integer": "whole number", "boolean": "True | False", "null": "None"}
    if schema.get("type") == "array":
        return f"list of {_accepts(schema['items'])}"
    text = words.get(schema.get("type", ""), "text")
    bounds = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    limits = [f"{sign} {schema[key]:g}" for key, sign in bounds.items() if key in schema]
    return f"{text} {' and '.join(limits)}" if limits else text
