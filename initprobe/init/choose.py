"""Turns ``normal(std=0.02)`` into a scheme with its options checked. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from initprobe.cards import named_options, option_mistake, parse_call
from initprobe.errors import UsageError
from initprobe.init.schemes.base import SCHEMES, Scheme
from initprobe.records import SchemeChoice


def parse_scheme(text: str) -> SchemeChoice:
    """A scheme as typed: a name or an alias, and options as Python literals in parentheses.

    Options come by name, or in the order of the scheme's card; a bare word is text. Nothing is evaluated.

    Raises:
        UsageError: the text is no such call, or the scheme or an option is unknown or has a bad value.
    """
    if not isinstance(text, str):
        raise UsageError(f"a scheme is text such as 'kaiming_normal' or 'normal(std=0.02)', not {type(text).__name__}")
    name, arguments = parse_call("scheme", text, SCHEMES.near)
    card = SCHEMES.find(name).card
    options = named_options("scheme", card.name, card.options, arguments)
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
