"""What pydantic says about a spec, in plain words and with key paths of the document."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from initprobe.errors import KeyPath, Problem
from initprobe.load.blocks.base import BLOCKS
from initprobe.load.document import BROKEN
from initprobe.load.grammar import SpecSchema, section_of
from initprobe.load.init_grammar import OverrideSection
from initprobe.load.tags import TAG

SHOWN = 60
"""Characters of a wrong value that are repeated in a message."""

_CALL = re.compile(r"\s*(\w+)\(\s*(\w+\s*=[^(){},]+(?:,\s*\w+\s*=[^(){},]+)*)\)\s*")
"""A scheme with named options, as the command line takes it."""

KINDS = {
    "list_type": "a list",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "union_tag_not_found": "a mapping (`key: value`)",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
}
"""pydantic's names of simple mistakes, and what was wanted."""

HINTS = {
    "version": "begin the file with `version: 1`",
    "layers": "or name a `target:` that builds the network",
    "input": "write for example `input: {shape: [784]}`",
    "type": "write for example {type: linear, out: 10}",
}
"""What to do about a key that is missing."""


def problems_of(error: ValidationError, values: Any) -> list[Problem]:
    """Every mistake once; what could not be read has been told already and is left out.

    Args:
        error: what pydantic raised.
        values: the document it judged.
    """
    found: dict[KeyPath, Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _problem(detail, *_walk(detail["loc"], values))
        if _walk(problem.path, values)[1] is not BROKEN:
            found.setdefault(problem.path, problem)
    return list(found.values())


def _walk(loc: Sequence[str | int], values: Any) -> tuple[KeyPath, Any]:
    """The key path of an error, and what stands there; parts that only pydantic knows are skipped."""
    path: list[str | int] = []
    node = values
    for part in loc:
        inside = part in node if isinstance(node, dict) else isinstance(node, list) and part in range(len(node))
        if not inside:
            continue
        node = node[part]
        path.append(part)
    return tuple(path), node


def _problem(detail: ErrorDetails, path: KeyPath, value: Any) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"], path)
    if kind == "missing":
        return _missing_key(detail["loc"], path)
    if str(context.get("discriminator", "")).startswith("layer_tag"):
        return _unknown_layer(path, value)
    if kind in ("wanted", "literal_error") or kind in KINDS:
        return _unwanted(path, value, kind, context)
    if kind == "needs":
        return Problem(detail["msg"], path, context.get("hint"))
    said = {
        "too_short": "must not be empty",
        "too_long": f"must not have more than {context.get('max_length')} items",
    }
    return Problem(f"{_label(path)} {said.get(kind, 'is wrong: ' + detail['msg'])}", path)


def _unknown_key(loc: Sequence[str | int], path: KeyPath) -> Problem:
    section = _section(loc[:-1])
    known = [field.alias or name for name, field in section.model_fields.items()] if section else []
    hint = _did_you_mean(path[-1], known) or (f"known here: {', '.join(known)}" if known else None)
    if section is OverrideSection:
        hint = f"{hint}; options of a scheme stand beside its name: scheme: {{scheme: normal, std: 0.02}}"
    return Problem(f"unknown key {_shown(path[-1])}", path, hint, "key")


def _missing_key(loc: Sequence[str | int], path: KeyPath) -> Problem:
    tags = [part for part in loc if isinstance(part, str) and part.startswith(TAG)]
    name = tags[-1].removeprefix(TAG) if tags and loc[-2:-1] == tuple(tags[-1:]) else ""
    who = name if name in BLOCKS else _label(path)
    return Problem(f"{who} needs {loc[-1]!r}", path, HINTS.get(str(loc[-1])))


def _unknown_layer(path: KeyPath, value: Any) -> Problem:
    if isinstance(value, dict):
        if "type" not in value:
            return Problem("a layer needs 'type'", path, HINTS["type"])
        path, value = (*path, "type"), value["type"]
    if not isinstance(value, str):
        return Problem(f"a layer is a name, or a mapping with 'type', not {_shown(value)}", path)
    known = [*BLOCKS, *(alias for name in BLOCKS for alias in BLOCKS.aliases_of(name))]
    hint = _did_you_mean(value.lower(), known) or "`initprobe ls blocks` lists them"
    return Problem(f"unknown layer type {_shown(value)}", path, hint)


def _unwanted(path: KeyPath, value: Any, kind: str, context: Mapping[str, Any]) -> Problem:
    if kind == "literal_error":
        wanted = str(context["expected"])
        hint = _did_you_mean(value, wanted.split("'")[1::2])
    else:
        wanted = str(context.get("wanted", KINDS.get(kind)))
        hint = _as_mapping(value) or str(context.get("hint", "")) or None
    return Problem(f"{_label(path)} must be {wanted}, not {_shown(value)}", path, hint)


def _as_mapping(value: Any) -> str | None:
    """A scheme written as on the command line, as a file writes it; None where it is none."""
    call = _CALL.fullmatch(value) if isinstance(value, str) else None
    if call is None:
        return None
    options = re.sub(r"\s*=\s*", ": ", call[2])
    return f"options stand beside it: {{scheme: {call[1]}, {options}}}"


def _label(path: KeyPath) -> str:
    """What a value is called: by its key, or by its number in a list."""
    if not path:
        return "a spec"
    if isinstance(path[-1], str):
        return _shown(path[-1])
    return f"item {path[-1] + 1} of {_label(path[:-1])}"


def _shown(value: Any) -> str:
    """A value in a message: short, and with every invisible character as an escape."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _did_you_mean(value: Any, known: Sequence[str]) -> str | None:
    near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    return f"did you mean {near[0]!r}?" if near else None


def _section(loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The part of the grammar that a location leads to."""
    current: type[BaseModel] | None = SpecSchema
    for part in loc:
        if isinstance(part, int):
            continue
        if part.startswith(TAG):
            current = section_of(part)
        elif current is not None:
            fields = {field.alias or name: field for name, field in current.model_fields.items()}
            inside = set(_sections_in(fields[part].annotation)) if part in fields else set()
            current = inside.pop() if len(inside) == 1 else None
    return current


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a type mentions, without looking into them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _sections_in(argument)
