"""``--set`` assignments and ``${name}`` variables: both act on the plain values of a document, before any schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from initprobe.errors import KeyPath, Problem, UsageError
from initprobe.load.document import BROKEN, Document, decode
from initprobe.load.limits import MAX_DEPTH, MAX_EVENTS
from initprobe.load.parse import parse
from initprobe.records import Location

REFERENCE = re.compile(r"\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}")
COMMAND_LINE = "--set"
"""The file name of what was assigned on the command line."""


def assign(document: Document, sets: Iterable[tuple[str, str]]) -> None:
    """Apply ``--set dotted.key=VALUE`` assignments, in order.

    Mappings that are not there yet are made (``init.default`` in a document without ``init``), so that the schema
    judges the result; a variable must be there already, or a typo would be silent.

    Args:
        document: changed in place.
        sets: dotted key (whole numbers index lists) and the text of a YAML value.

    Raises:
        UsageError: a key leads nowhere.
        SpecError: a value cannot be read.
    """
    for key, text in sets:
        _assign(document, key, text)


def substitute(document: Document) -> None:
    """Replace every ``${name}`` by its variable; what cannot be replaced becomes ``BROKEN`` with a problem."""
    _Substitution(document).run()


def _assign(document: Document, dotted: str, text: str) -> None:
    parts = dotted.strip().split(".")
    if parts[0] == "sweep" and len(parts) > 1:  # the keys of that section have dots in them
        parts = ["sweep", ".".join(parts[1:])]
    if not all(part.strip(".") for part in parts):
        raise UsageError(f"{COMMAND_LINE} {dotted}={text}: no key", hint="write for example --set vars.width=512")
    if parts[0] == "extends":
        raise UsageError(f"{COMMAND_LINE} {dotted}={text}: only a file says what it extends")
    value = parse(decode(text.encode("utf-8", "replace"), COMMAND_LINE), COMMAND_LINE) if text.strip() else None
    if value is not None and value.problems:
        raise UsageError(f"{COMMAND_LINE} {dotted}={text}: {value.problems[0].message}")
    line = f"{dotted}={text}".splitlines()[0]
    here = Location(COMMAND_LINE, 1, len(dotted) + 2, len(line) + 1, line)
    if not isinstance(document.values, dict):
        document.values = {}
    node: Any = document.values
    path: KeyPath = ()
    for number, part in enumerate(parts):
        step = _step(node, part, path, f"{COMMAND_LINE} {line}")
        path = (*path, step)
        if isinstance(step, str) and step not in node:
            column = len(".".join(parts[:number])) + (2 if number else 1)
            document.key_at[path] = Location(COMMAND_LINE, 1, column, column + len(part), line)
            document.value_at[path] = here
            node[step] = {}
        if number < len(parts) - 1:
            node = node[step]
        else:
            _forget_below(document, path)
            node[step] = value.values if value is not None else None
            document.value_at[path] = here


def _step(node: Any, part: str, path: KeyPath, said: str) -> str | int:
    """The key or index that a part of a dotted key means."""
    where = ".".join(map(str, path)) or "the document"
    if isinstance(node, list):
        if not (part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(node)):
            last = f"the last index is {len(node) - 1}" if node else "it is empty"
            raise UsageError(f"{said}: {where} is a list and has no item {part!r}", hint=last)
        return int(part)
    if not isinstance(node, dict):
        raise UsageError(f"{said}: {where} is a single value and has no {part!r}")
    if path == ("vars",) and part not in node:
        raise UsageError(f"{said}: there is no variable {part!r}", hint=_nearest(part, node))
    return part


def _forget_below(document: Document, path: KeyPath) -> None:
    for places in (document.value_at, document.key_at):
        for old in [old for old in places if len(old) > len(path) and old[: len(path)] == path]:
            del places[old]


@dataclass(frozen=True, slots=True)
class _Expanded:
    """A value without references, how many values it consists of, and how deep it nests."""

    value: Any
    size: int = 1
    depth: int = 0


class _Substitution:
    """Expands every value once; sizes are added up before anything is copied, so that no bomb can go off."""

    def __init__(self, document: Document) -> None:
        self.document = document
        values = document.values
        given = values.get("vars") if isinstance(values, dict) else None
        self.variables: dict[str, Any] = given if isinstance(given, dict) else {}
        self.expanded: dict[str, _Expanded] = {}
        self.open: list[str] = []

    def run(self) -> None:
        values = self.document.values
        if not isinstance(values, dict):
            return
        parts = {name: self._variable(name) for name in self.variables}
        if sum(part.size for part in parts.values()) > MAX_EVENTS:
            self._broken(f"more than {MAX_EVENTS} values once they are filled in", ("vars",))
        variables = {name: part.value for name, part in parts.items()}
        rest = self._expand({key: value for key, value in values.items() if key != "vars"}, ()).value
        if rest is BROKEN:
            self.document.values = BROKEN
            return
        self.document.values = {key: (variables or values[key]) if key == "vars" else rest[key] for key in values}

    def _expand(self, value: Any, path: KeyPath) -> _Expanded:
        if isinstance(value, str):
            return self._text(value, path)
        if not isinstance(value, (dict, list)):
            return _Expanded(value)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        parts = {key: self._expand(item, (*path, key)) for key, item in items}
        size = 1 + sum(part.size for part in parts.values())
        depth = 1 + max((part.depth for part in parts.values()), default=0)
        if size > MAX_EVENTS:
            return self._broken(f"more than {MAX_EVENTS} values once the variables are filled in", path)
        if depth > MAX_DEPTH:
            return self._broken(f"nested more than {MAX_DEPTH} deep once the variables are filled in", path)
        values = {key: part.value for key, part in parts.items()}
        return _Expanded(values if isinstance(value, dict) else list(values.values()), size, depth)

    def _text(self, text: str, path: KeyPath) -> _Expanded:
        found = REFERENCE.fullmatch(text)
        if found is None:
            if "${" in text:
                return self._broken("${...} must be the whole value", path, "text is not put together from variables")
            return _Expanded(text)
        name = found.group(1)
        if name not in self.variables:
            return self._broken(f"unknown variable {name!r}", path, _nearest(name, self.variables))
        if name in self.open:
            return self._broken(f"{' → '.join([*self.open[self.open.index(name) :], name])} goes in a circle", path)
        if len(self.open) >= MAX_DEPTH:
            return self._broken(f"a chain of more than {MAX_DEPTH} variables", path)
        return self._variable(name)

    def _variable(self, name: str) -> _Expanded:
        if name not in self.expanded:
            self.open.append(name)
            self.expanded[name] = self._expand(self.variables[name], ("vars", name))
            self.open.pop()
        return self.expanded[name]

    def _broken(self, message: str, path: KeyPath, hint: str | None = None) -> _Expanded:
        self.document.problems.append(Problem(message, path, hint))
        return _Expanded(BROKEN)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"the variables are {', '.join(names[:10])}" if names else "there are no `vars`"
