"""YAML text becomes plain values, with the place of every key and every value.

Built on PyYAML's pure-Python event stream (the C one can be crashed by nesting alone), so that size, nesting, aliases
and tags are refused before anything is constructed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from initprobe.errors import KeyPath, Problem, SpecError
from initprobe.load.document import BROKEN, FORBIDDEN, LINE_BREAK, Document, place
from initprobe.load.limits import MAX_DEPTH, MAX_EVENTS
from initprobe.load.scalars import resolve
from initprobe.records import Location

NO_ANCHORS = "write the value again, or name it under `vars`"

PLAIN_WORDS = (
    (
        r"mapping values are not allowed here",
        "a ':' that does not belong here",
        "quote text that holds one, or check the indentation",
    ),
    (r"found character '\\t'.*", "a tab in the indentation", "indent with spaces"),
    (r"found character '(.)' that cannot start any token", r"text cannot begin with \1", "put it in quotes"),
    (r"expected ',' or '\]', but got .*", "a list without its ]", "a comma or a bracket is missing before this"),
    (r"expected ',' or '}', but got .*", "a mapping without its }", "a comma or a brace is missing before this"),
    (r"expected <block end>, but found .*", "this does not continue what is above", "check quotes and indentation"),
    (r"(could not find expected|expected) ':'.*", "a ':' is missing", "a key is followed by ': ' and its value"),
    (r"found unexpected end of stream", "a quote that is never closed", None),
    (r"found unknown escape character '(.)'", r"\\\1 means nothing in double quotes", r"use single quotes, or \\"),
    (
        r"sequence entries are not allowed here",
        "a '-' that does not belong here",
        "begin the list on a line of its own",
    ),
)
"""What PyYAML says, what it means, what to do."""


def parse(text: str, file: str) -> Document:
    """Read a document.

    Args:
        text: what ``document.decode`` answered.
        file: its name in messages.

    Raises:
        SpecError: it cannot be read on: syntax, or a limit. Lesser problems are collected in the Document.
    """
    return _Reader(text, file).read()


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet; in a mapping, the key whose value comes next."""

    path: KeyPath
    values: list[Any] | dict[str, Any]
    key: str | None = None


class _Reader:
    """Consumes events; knows where it is."""

    def __init__(self, text: str, file: str) -> None:
        self.lines = LINE_BREAK.split(text)
        self.document = Document(file)
        self.loader = yaml.SafeLoader(text)
        self.open: list[_Open] = []

    def read(self) -> Document:
        documents = 0
        count = 0
        while (event := self._next()) is not None:
            count += 1
            if count > MAX_EVENTS:
                raise self._fatal(f"more than {MAX_EVENTS} keys, values and brackets", _start(event))
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._check_document(event, documents)
            elif isinstance(event, NodeEvent):
                self._check_node(event)
                self._node(event)
            elif isinstance(event, CollectionEndEvent):
                self._close(self.open.pop(), event)
        if documents == 0:
            raise self._fatal("the document is empty", (0, 0), "begin with `version: 1`")
        return self.document

    def _next(self) -> Event | None:
        """The next event, or None at the end of the text."""
        try:
            event: Event | None = self.loader.get_event()  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            unclosed = error.problem == "found unexpected end of stream"
            mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
            message, hint = self._plain_words(error.problem or "this is no YAML", _position(mark))
            raise self._fatal(message, _position(mark), hint) from None
        except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
            raise self._fatal("this is no YAML", _position(self.loader.get_mark())) from None
        return event

    def _check_document(self, event: DocumentStartEvent, number: int) -> None:
        if number > 1:
            raise self._fatal("a second document begins here", _start(event), "one file holds one spec")
        if event.version or event.tags:
            raise self._fatal("directives (%) are not allowed", _start(event), "remove it: specs are always YAML 1.2")

    def _check_node(self, event: NodeEvent) -> None:
        if isinstance(event, AliasEvent):
            raise self._fatal("aliases (*) are not allowed", _start(event), NO_ANCHORS)
        if event.anchor is not None:
            raise self._fatal("anchors (&) are not allowed", _start(event), NO_ANCHORS)
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            raise self._fatal("tags (!) are not allowed", _start(event), "put text that begins with ! in quotes")

    def _node(self, event: NodeEvent) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.values, dict) and top.key is None:
            self._key(top, event)
            return
        path = self._path(top)
        self.document.value_at[path] = self._location(event)
        if isinstance(event, ScalarEvent):
            self._put(top, self._scalar(event, path))
            self._reach(_position(event.end_mark))
            return
        if len(self.open) >= MAX_DEPTH:
            raise self._fatal(f"nested more than {MAX_DEPTH} deep", _start(event))
        values: list[Any] | dict[str, Any] = {} if isinstance(event, MappingStartEvent) else []
        self._put(top, values)
        self.open.append(_Open(path, values))

    def _key(self, top: _Open, event: NodeEvent) -> None:
        if not isinstance(event, ScalarEvent):
            raise self._fatal("a key must be text", _start(event), "text that begins with [ or { needs quotes")
        if event.value == "<<":
            raise self._fatal("merge keys (<<) are not allowed", _start(event), NO_ANCHORS)
        path = (*top.path, event.value)
        if event.value in top.values:
            first = self.document.key_at[path].line
            self._problem(f"{event.value[:60]!r} is given twice, first in line {first}", path, on_key=True)
        self.document.key_at[path] = self._location(event)
        if self._scalar(event, path, on_key=True) not in (event.value, BROKEN):
            self._problem("a key must be text", path, "put it in quotes", on_key=True)
        top.key = event.value

    def _scalar(self, event: ScalarEvent, path: KeyPath, *, on_key: bool = False) -> Any:
        if FORBIDDEN.search(event.value):
            self._problem("the text holds an invisible character", path, on_key=on_key)
            return BROKEN
        try:
            return resolve(event.value) if event.style is None else event.value
        except ValueError as error:
            self._problem(str(error), path, on_key=on_key)
            return BROKEN

    def _path(self, top: _Open | None) -> KeyPath:
        if top is None:
            return ()
        return (*top.path, len(top.values) if isinstance(top.values, list) else top.key or "")

    def _put(self, top: _Open | None, value: Any) -> None:
        if top is None:
            self.document.values = value
        elif isinstance(top.values, list):
            top.values.append(value)
        else:
            top.values[top.key or ""] = value
            top.key = None

    def _close(self, closed: _Open, event: Event) -> None:
        """A flow collection on one line reaches to its bracket; what a block collection reaches is known by now."""
        start, end = self.document.value_at[closed.path], _position(event.end_mark)
        if end[0] == start.line - 1 and end[1] > start.column:
            self.document.value_at[closed.path] = self._place((start.line - 1, start.column - 1), end[1])
            self._reach(end)

    def _reach(self, end: tuple[int, int]) -> None:
        """Extend the collections that began on the line where something just ended."""
        for outer in reversed(self.open):
            start = self.document.value_at[outer.path]
            if start.line - 1 != end[0]:
                break
            self.document.value_at[outer.path] = self._place((start.line - 1, start.column - 1), end[1])

    def _location(self, event: Event) -> Location:
        start, end = _start(event), _position(event.end_mark)
        if isinstance(event, ScalarEvent):
            return self._place(start, end[1] if end[0] == start[0] else None)
        return self._place(start, start[1] + 1)

    def _place(self, start: tuple[int, int], end: int | None) -> Location:
        return place(self.document.file, self.lines, start, end)

    def _plain_words(self, said: str, position: tuple[int, int]) -> tuple[str, str | None]:
        """A message and a hint for what PyYAML said."""
        line = self.lines[position[0]] if position[0] < len(self.lines) else ""
        if re.search(r"(^|[^\"'])\$\{", line):
            return "${...} without quotes", 'write "${name}"'
        for pattern, message, hint in PLAIN_WORDS:
            found = re.fullmatch(pattern, said)
            if found:
                return found.expand(message), hint
        return said, None

    def _problem(self, message: str, path: KeyPath, hint: str | None = None, *, on_key: bool = False) -> None:
        self.document.problems.append(Problem(message, path, hint, "key" if on_key else "value"))

    def _fatal(self, message: str, position: tuple[int, int], hint: str | None = None) -> SpecError:
        self.document.value_at[()] = self._place(position, position[1] + 1)
        return SpecError([*self.document.problems, Problem(message, (), hint)], spec=self.document.spec())


def _position(mark: Any) -> tuple[int, int]:
    """Line and column of a PyYAML mark, both from 0."""
    return (mark.line, mark.column) if mark is not None else (0, 0)


def _start(event: Event) -> tuple[int, int]:
    return _position(event.start_mark)
