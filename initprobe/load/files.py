"""A file that was typed: there, readable, and small enough, found out before anything is read."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from initprobe.errors import InitprobeError, UsageError
from initprobe.load.limits import free_memory, readable


def existing_file(typed: str, kind: type[InitprobeError] = UsageError) -> Path:
    """The file of that name.

    Args:
        typed: a path.
        kind: what to raise.

    Raises:
        InitprobeError: it is not there (the message has close matches), is no regular file, or is empty.
    """
    path = Path(typed)
    try:
        found, directory, regular = path.exists(), path.is_dir(), path.is_file()
        empty = regular and path.stat().st_size == 0
        beside = [] if found else [other.name for other in path.parent.iterdir() if other.suffix == path.suffix]
    except (OSError, ValueError):  # no such directory either, or a name that no file system takes
        found, beside = False, []
    if not found:
        near = [str(path.with_name(name)) for name in get_close_matches(path.name, beside, n=3)]
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else None
        raise kind(f"there is no file {typed!r}", hint=hint)
    if directory:
        raise kind(f"{typed!r} is a directory", hint="name one of the files in it")
    if not regular:
        raise kind(f"{typed!r} is no regular file", hint="write what it holds to a file first")
    if empty:
        raise kind(f"{typed!r} is empty")
    if not os.access(path, os.R_OK):
        raise kind(f"{typed!r} cannot be read: permission denied")
    return path


def check_fits_memory(path: Path, kind: type[InitprobeError] = UsageError, *, copies: int = 1) -> None:
    """Refuse a file that is larger than the memory which reading it takes.

    Args:
        path: an existing file.
        kind: what to raise.
        copies: how many times its size is held while it is read.

    Raises:
        InitprobeError: it is.
    """
    size, free = path.stat().st_size, free_memory()
    if free is not None and copies * size > free:
        needed = readable(size) if copies == 1 else f"{copies} x {readable(size)} to read it"
        raise kind(f"{str(path)!r} is larger than the memory: {needed}, {readable(free)} free")
