"""Turns ``normal(std=0.02)`` into a scheme with its options checked. Loads no torch."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from initprobe.errors import UsageError
from initprobe.init.schemes.base import SCHEMES, Scheme
from initprobe.records import Option, SchemeChoice

LONGEST_SHOWN = 80


def parse_scheme(text: str) -> SchemeChoice:
    """A scheme as typed: a name or an alias, and options as Python literals in parentheses.

    Options come by name, or in the order of the scheme's card; a bare word is text. Nothing is evaluated.

    Raises:
        UsageError: the text is no such call, or the scheme or an option is unknown or has a bad value.
    """
    name, arguments = _split(text)
    card = SCHEMES.find(name).card
    options: dict[str, Option] = {}
    for position, (key, value) in enumerate(arguments):
        if key is None and position >= len(card.options):
            raise UsageError(f"too many options for scheme {card.name!r}", hint=_listed(card.name))
        chosen = card.options[position].name if key is None else key
        if chosen in options:
            raise UsageError(f"option {chosen!r} of scheme {card.name!r} is given twice")
        options[chosen] = value
    choice = SchemeChoice(card.name, tuple(options.items()))
    check_choice(choice)
    return choice


def check_choice(choice: SchemeChoice) -> None:
    """Make sure that a choice can be built.

    Raises:
        UsageError: the scheme or an option is unknown, or an option has a bad value.
    """
    build_scheme(choice)


def build_scheme(choice: SchemeChoice) -> Scheme:
    """The scheme with its options.

    Raises:
        UsageError: the scheme or an option is unknown, or an option has a bad value.
    """
    leaf = SCHEMES.find(choice.name)
    try:
        return leaf.model_validate(dict(choice.options))
    except ValidationError as error:
        raise _explained(leaf, choice, error) from None


def _split(text: str) -> tuple[str, list[tuple[str | None, Any]]]:
    """The name, and the arguments with their keywords (None for positional ones)."""
    shown = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    wrong = UsageError(f"{shown!r} is no scheme", hint="write a name, or name(option=value) with literal values")
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


def _explained(leaf: type[Scheme], choice: SchemeChoice, error: ValidationError) -> UsageError:
    """The first mistake as one sentence that names scheme, option and what would be right."""
    name, options = leaf.card.name, leaf.card.options
    first = error.errors()[0]
    if not first["loc"]:  # what a scheme says of its options taken together
        return UsageError(f"scheme {name!r}: {first.get('ctx', {}).get('error', first['msg'])}")
    key = str(first["loc"][0])
    known = next((option for option in options if option.name == key), None)
    if known is None:
        near = get_close_matches(key, [option.name for option in options], n=1)
        return UsageError(
            f"scheme {name!r} has no option {key!r}", hint=f"did you mean {near[0]!r}?" if near else _listed(name)
        )
    value = dict(choice.options)[key]
    words = known.accepts.split(" | ")
    near = get_close_matches(value, words, n=1) if isinstance(value, str) else []
    return UsageError(
        f"option {key!r} of scheme {name!r} is {value!r}; it takes {known.accepts}",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _listed(name: str) -> str:
    options = ", ".join(option.name for option in SCHEMES[name].card.options)
    return f"its options are {options}" if options else f"{name} takes no options"
