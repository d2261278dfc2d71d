"""Prose and lists in the width of a terminal: broken between words, and nothing is cut. A pipe has no width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

_INDENT = 4
_LABEL = re.compile(r"[\w ]+: +")


def fitted(text: str, width: int | None) -> str:
    """The text with its long lines broken; what goes on stands under the words of the line, not under its label."""
    if width is None:
        return text
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    start = len(line) - len(line.lstrip(" "))
    label = _LABEL.match(line)
    hang = start + _INDENT if start else len(label[0]) if label else 0
    return _wrapped(line, width, " " * (hang if 2 * hang < width else _INDENT))


def _wrapped(text: str, width: int, indent: str) -> str:
    return "\n".join(
        textwrap.wrap(text, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )


def listed(rows: Sequence[Mapping[str, Any]], width: int | None) -> str:
    """Rows in columns; where these are wider than the terminal, the last of them stand below each row."""
    if not rows:
        return ""
    widths = {key: max(len(str(row[key])) for row in rows) for key in rows[0]}
    beside = _beside(widths, width)
    lines = []
    for row in rows:
        lines.append("  ".join(str(row[key]).ljust(widths[key]) for key in beside).rstrip())
        below = (str(value) for key, value in row.items() if key not in beside and str(value))
        lines += [_wrapped(" " * _INDENT + text, width or 0, " " * _INDENT) for text in below]
    return "".join(f"{line}\n" for line in lines)


def _beside(widths: Mapping[str, int], width: int | None) -> list[str]:
    """The first columns, as many as fit, and at least one."""
    keys: list[str] = []
    used = -2
    for key, needed in widths.items():
        used += needed + 2
        if width is not None and used > width and keys:
            break
        keys.append(key)
    return keys
