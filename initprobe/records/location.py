"""A place in a source file, as findings and errors point at it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """Where something was written.

    Attributes:
        file: POSIX path, relative to the working directory where it lies below it.
        line: first line, from 1.
        column: first column, from 1.
        end_column: column behind the last character on ``line``, or None when it is not known.
        text: the source line itself, without its line break.
        approximate: True when the line is the nearest one known (a class or ``def`` line), not the layer's own.
    """

    file: str
    line: int
    column: int = 1
    end_column: int | None = None
    text: str = ""
    approximate: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
