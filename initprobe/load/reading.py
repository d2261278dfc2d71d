"""The bytes of a spec, and its name as people see it."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

from initprobe.errors import UsageError
from initprobe.load.document import FORBIDDEN
from initprobe.load.limits import MAX_BYTES

STDIN = "-"


def shown_path(source: str | Path) -> str:
    """A path as people see it: relative where it lies below the working directory, nothing invisible in it."""
    path = Path(source)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return FORBIDDEN.sub("?", path.as_posix()).translate({10: "?", 13: "?", 9: "?"})


def read_bytes(source: str | Path) -> bytes:
    """The bytes of a file, or of standard input; one more than the limit at most.

    Raises:
        UsageError: there is no such file (the message has a close match), or it cannot be read.
    """
    if str(source) == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    path = Path(source)
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        folder = path.parent
        names = [found.name for found in folder.iterdir()] if folder.is_dir() else []
        near = get_close_matches(path.name, names, n=1)
        hint = f"did you mean {shown_path(folder / near[0])!r}?" if near else None
        raise UsageError(f"there is no file {shown_path(path)!r}", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"cannot read {shown_path(path)!r}: {reason}") from None
