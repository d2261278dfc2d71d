"""A place in a source file, as findings and errors point at it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REMARK = re.compile(r"#\s*initprobe:\s*(\S.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Location:
    """Where something was written.

    Attributes:
        file: POSIX path, relative to the working directory where it lies below it or in the same checkout.
        line: first line, from 1.
        column: first column, from 1.
        end_column: column behind the last character on ``line``, or None when it is not known.
        text: the source line itself, without its line break.
        approximate: True when the line is the nearest one known (a class or ``def`` line), not the layer's own.
        remark: what an ``# initprobe: ...`` comment on the line says, or one alone on the line above; empty where there
            is none.
    """

    file: str
    line: int
    column: int = 1
    end_column: int | None = None
    text: str = ""
    approximate: bool = False
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def remark_on(line: str, above: str = "") -> str:
    """What an ``# initprobe: ...`` comment says about a line: on it, or alone on the line above."""
    found = _REMARK.search(line) or (_REMARK.search(above) if above.lstrip().startswith("#") else None)
    return found[1] if found else ""
