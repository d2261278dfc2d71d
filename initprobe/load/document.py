"""A document on its way from bytes to a Spec: its text, its values, and where each of them stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from initprobe.errors import KeyPath, Problem, SpecError
from initprobe.load.limits import MAX_BYTES
from initprobe.records import Location, Spec, remark_on

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Characters that change what a reader sees: control characters, line separators, text direction, surrogates."""

LINE_BREAK = re.compile(r"\r\n|\n|\r")

SHOWN_COLUMNS = 200
"""Longer lines are cut in messages."""


class Broken:
    """Stands where a value could not be read, so that the rest of the document can still be judged."""

    def __repr__(self) -> str:
        return "a value that could not be read"


BROKEN = Broken()


@dataclass(slots=True)
class Document:
    """What is known of a document so far.

    Attributes:
        file: the path as it is shown.
        values: plain values; ``BROKEN`` where there is a problem.
        value_at: where each value stands.
        key_at: where each key stands.
        problems: what was wrong and did not stop the reading.
    """

    file: str
    values: Any = None
    value_at: dict[KeyPath, Location] = field(default_factory=dict)
    key_at: dict[KeyPath, Location] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def spec(self) -> Spec:
        """The record of it."""
        return Spec(self.file, self.values, self.value_at, self.key_at)


def decode(raw: bytes, file: str) -> str:
    """The text of a document.

    Raises:
        SpecError: it is too large, no UTF-8, or holds characters that hide something from a reader.
    """
    if len(raw) > MAX_BYTES:
        raise SpecError([Problem(f"larger than {MAX_BYTES // 1024} KiB, the limit of a spec")], spec=Spec(file, {}))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise _refusal(before, len(before), file, message, "save the file as UTF-8") from None
    hidden = FORBIDDEN.search(text)
    if hidden:
        message = f"the invisible character U+{ord(hidden.group()):04X}"
        raise _refusal(text, hidden.start(), file, message, "remove it")
    return text


def place(file: str, lines: list[str], start: tuple[int, int], end: int | None) -> Location:
    """A Location.

    A line that is too long to show is cut, and left away where the cut would hide the place.

    Args:
        file: the path as it is shown.
        lines: the text, split at its line breaks.
        start: line and column, both from 0.
        end: column behind the last character, from 0; None for the end of the line.
    """
    line, column = start
    text = lines[line].replace("\t", " ") if line < len(lines) else ""
    remark = remark_on(text, lines[line - 1] if line else "")
    stop = max(column + 1, len(text.rstrip()) if end is None else end)
    if len(text) > SHOWN_COLUMNS:
        text = text[:SHOWN_COLUMNS] + "…" if column < SHOWN_COLUMNS else ""
    return Location(file, line + 1, column + 1, stop + 1, text, remark=remark)


def _refusal(text: str, index: int, file: str, message: str, hint: str) -> SpecError:
    """An error at one character of the text."""
    lines = [FORBIDDEN.sub("?", line) for line in LINE_BREAK.split(text)]
    before = LINE_BREAK.split(text[:index])
    column = len(before[-1])
    where = place(file, lines, (len(before) - 1, column), column + 1)
    return SpecError([Problem(message, (), hint)], spec=Spec(file, {}, {(): where}))
