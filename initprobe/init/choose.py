"""Turns ``normal(std=0.02)`` into a scheme with its options checked. Loads no torch."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from initprobe.cards import listed_options, option_mistake
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
            raise UsageError(f"too many options for scheme {card.name!r}", hint=listed_options(card.name, card.options))
        chosen = card.options[position].name if key is None else key
        if chosen in options:
            raise UsageError(f"option {chosen!r} of scheme {card.name!r} is given twice")
        options[chosen] = value
    choice = SchemeChoice(card.name, tuple(options.items()))
    check_choice(choice)
    return choice


def parse_schemes(texts: Sequence[str]) -> list[SchemeChoice]:
    """Several, to be compared.

    Raises:
        UsageError: there is none, they are one text, or one of them is wrong.
    """
    if isinstance(texts, str) or not texts:
        raise UsageError(f"schemes are a list of texts, not {texts!r}", hint='compare(["he", "xavier"], depth=50)')
    return [parse_scheme(text) for text in texts]


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
        raise option_mistake("scheme", leaf.card.name, leaf.card.options, dict(choice.options), error) from None


def _split(text: str) -> tuple[str, list[tuple[str | None, Any]]]:
    """The name, and the arguments with their keywords (None for positional ones)."""
    if not isinstance(text, str):
        raise UsageError(f"a scheme is text such as 'kaiming_normal' or 'normal(std=0.02)', not {type(text).__name__}")
    shown = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
    near = SCHEMES.near(text.partition("(")[0].strip()) if "-" in text.partition("(")[0] else None
    hint = f"did you mean {near!r}?" if near else "write a name, or name(option=value) with literal values"
    wrong = UsageError(f"{shown!r} is no scheme", hint=hint)
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
