"""A YAML document with the place of everything in it, so that any room can point at what it rejects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from initprobe.errors import KeyPath, Problem
from initprobe.records.location import Location


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed document: plain values, and a location for every key and every value.

    Attributes:
        file: the path as it is shown to people (``"-"`` is standard input).
        values: the document with ``vars`` substituted and ``--set`` applied.
        value_at: where the value at a key path stands.
        key_at: where the key (the last part of a key path) stands; list items have none.
        kind: what it is, in the heads of messages.
    """

    file: str
    values: Mapping[str, Any]
    value_at: Mapping[KeyPath, Location] = field(default_factory=dict, repr=False)
    key_at: Mapping[KeyPath, Location] = field(default_factory=dict, repr=False)
    kind: str = "spec"

    def locate(self, path: KeyPath, *, on: str = "value") -> Location:
        """The location of a key path, or of the nearest enclosing one that the file has."""
        for end in range(len(path), -1, -1):
            places = self.key_at if on == "key" and end == len(path) else self.value_at
            place = places.get(path[:end]) or self.value_at.get(path[:end])
            if place is not None:
                return place
        return Location(self.file, 1)

    def explain(self, problem: Problem) -> str:
        """The problem as text: message, ``file:line:col``, the source line, a caret, the hint."""
        place = self.locate(problem.path, on=problem.on)
        head = f"error[{self.kind}]: {problem.message}\n  --> {place}"
        if not place.text:
            return head + (f"\n  = help: {problem.hint}" if problem.hint else "")
        gutter = " " * len(str(place.line))
        width = max(1, (place.end_column or place.column + 1) - place.column)
        width = min(width, max(1, len(place.text) - place.column + 1))
        caret = " " * (place.column - 1) + "^" * width
        hint = f" {problem.hint}" if problem.hint else ""
        return f"{head}\n{gutter} |\n{place.line} | {place.text}\n{gutter} | {caret}{hint}\n"
