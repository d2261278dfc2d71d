"""What every layer of the YAML language says of itself: for ``initprobe explain`` and for ``docs/language.md``.

``python -m initprobe.load.block_cards`` prints the table of that page.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from initprobe.load.blocks.base import BLOCKS, Layer, Wanted
from initprobe.load.grammar import spec_schema

SHARED = frozenset({"type", "name", "ignore"})
"""Keys that every layer has."""

IN_A_SPEC = "\nIn a spec:\n"
"""Stands before an example, which is to be copied as it is."""

LAYERS = "a list of layers"
SAMPLES: dict[str, Any] = {"out": 64, "kernel": 3, "heads": 8, "times": 4, "groups": 8, "dim": 64}
"""Values for options that have no default, by what options are usually called."""

WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): ""}


@dataclass(frozen=True, slots=True)
class BlockOption:
    """One option of a layer.

    Attributes:
        accepts: what it may be, in words.
        default: as YAML; None where it must be given.
    """

    name: str
    accepts: str
    default: str | None
    description: str


@dataclass(frozen=True, slots=True)
class BlockCard:
    """One layer of the language.

    Attributes:
        summary: the first line of its docstring.
        text: the rest of it, without a line that is nothing but the example.
        example: one layer as YAML, in flow style.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    text: str
    options: tuple[BlockOption, ...]
    example: str


def block_card(name: str) -> BlockCard:
    """The card of a layer, by its name or an alias.

    Raises:
        UsageError: there is no such layer.
    """
    spec_schema()  # fills in what a layer inside a layer may be
    layer, name = BLOCKS.find(name), BLOCKS.canonical(name)
    doc = inspect.getdoc(layer) or ""
    options = tuple(_option(key, field) for key, field in layer.model_fields.items() if key not in SHARED)
    told = re.search(rf"^ *`*(\{{type: {re.escape(name)}\b.*\}})`*$", doc, re.MULTILINE)
    _, _, text = (doc.replace(told[0], "") if told else doc).partition("\n")
    example = told[1] if told else _example(name, layer)
    return BlockCard(name, BLOCKS.aliases_of(name), layer.summary, text.strip(), options, example)


def block_cards() -> Iterable[BlockCard]:
    """All of them, by name."""
    return map(block_card, BLOCKS)


def explained(card: BlockCard) -> str:
    """The card for a terminal."""
    lines = [f"{card.name}: {card.summary}"]
    if card.aliases:
        lines.append(f"also called {', '.join(card.aliases)}")
    if card.text:
        lines += ["", card.text]
    if card.options:
        lines += ["", "Options:"]
    for option in card.options:
        default = "required" if option.default is None else f"default {option.default}"
        lines.append(f"    {option.name}: {option.accepts}; {default}. {option.description}".rstrip())
    return "\n".join([*lines, f"{IN_A_SPEC}    - {card.example}"])


def block_table() -> str:
    """All cards as a Markdown table; an option with a star must be given."""
    rows = ["| layer | options | what it is |", "|---|---|---|"]
    for card in block_cards():
        names = ", ".join(f"`{name}`" for name in (card.name, *card.aliases))
        options = ", ".join(
            f"`{option.name}`\\*" if option.default is None else f"`{option.name}: {option.default}`"
            for option in card.options
        )
        rows.append(f"| {names} | {_cell(options)} | {_cell(card.summary)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _option(key: str, field: FieldInfo) -> BlockOption:
    default = None if field.is_required() else _yaml(field.get_default(call_default_factory=True))
    accepts = _accepts(field.annotation, field.metadata)
    return BlockOption(field.alias or key, accepts, default, field.description or "")


def _example(name: str, layer: type[Layer]) -> str:
    """The layer with the options that it needs."""
    needed = {
        field.alias or key: _sample(key, _accepts(field.annotation, field.metadata), field.annotation)
        for key, field in layer.model_fields.items()
        if key not in SHARED and field.is_required()
    }
    return _yaml({"type": name, **needed}) if needed else name


def _sample(key: str, accepts: str, annotation: Any) -> Any:
    if key in SAMPLES:
        return SAMPLES[key]
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)[0]
    if LAYERS in accepts:
        return ["relu"]
    return 2 if "number" in accepts else "text"


def _accepts(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in words: those of ``Wanted`` where there are any."""
    told = next((one.text for one in metadata if isinstance(one, Wanted)), None)
    if told is not None:
        return told
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _accepts(arguments[0], arguments[1:])
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(text for text in map(_accepts, arguments) if text)
    if origin is Literal:
        return " | ".join(map(_yaml, arguments))
    return _collection(annotation) if origin in (list, dict) else _single(annotation)


def _collection(annotation: Any) -> str:
    arguments = typing.get_args(annotation)
    if "AnyLayer" in repr(arguments):
        return LAYERS if typing.get_origin(annotation) is list else f"a mapping, each {LAYERS}"
    kind = "a list" if typing.get_origin(annotation) is list else "a mapping"
    return f"{kind}, each {_accepts(arguments[-1])}"


def _single(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with {', '.join(field.alias or key for key, field in annotation.model_fields.items())}"
    return "a layer" if "AnyLayer" in repr(annotation) else WORDS.get(annotation, "a value")


def _yaml(value: Any) -> str:
    """A value in flow style, on one line."""
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True, exclude_none=True)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()


if __name__ == "__main__":
    import sys

    sys.stdout.write(block_table())
