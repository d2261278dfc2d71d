"""Where code stands: whose file it is, and how its place is shown."""

from __future__ import annotations

import linecache
import os
import sysconfig
from functools import cache
from pathlib import Path

import torch

import initprobe
from initprobe.checkout import checkout_around
from initprobe.records import Location, remark_on

_OURS = str(Path(initprobe.__file__).parent)
_LIBRARIES = (_OURS, str(Path(torch.__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


@cache
def is_ours(filename: str) -> bool:
    """Whether a source file belongs to initprobe."""
    return Path(filename).is_relative_to(_OURS)


@cache
def in_project(filename: str) -> bool:
    """Whether a source file is the user's own: not torch, not initprobe, not installed, not Python's."""
    if filename.startswith("<"):
        return False
    path = Path(filename)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(library) for library in _LIBRARIES)


def shown_path(file: str) -> str:
    """A source file as it is shown: relative to the working directory where it lies in its checkout, else as a whole.

    With forward slashes on every system.
    """
    path, here = Path(file).resolve(), Path.cwd()
    root = here if path.is_relative_to(here) else checkout_around(here.resolve())
    near = root is not None and path.is_relative_to(root)
    return Path(os.path.relpath(path, here)).as_posix() if near else path.as_posix()


def line_of_code(file: str, line: int) -> Location:
    """A whole line of a source file."""
    text = linecache.getline(file, line).rstrip()
    column = len(text) - len(text.lstrip()) + 1
    return Location(shown_path(file), line, column, len(text) + 1, text, remark=remark_at(file, line))


def remark_at(file: str, line: int) -> str:
    """What an ``# initprobe: ...`` comment in a source file says about one of its lines."""
    return remark_on(linecache.getline(file, line), linecache.getline(file, line - 1))
