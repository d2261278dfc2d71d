"""Runs code that is not ours: seeded, its prints on stderr, its errors told with its own frames."""

from __future__ import annotations

import random
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from traceback import TracebackException, walk_tb

import numpy as np
import torch

import initprobe
from initprobe.errors import InitprobeError, TargetError

FRAMES_SHOWN = 20
"""The innermost frames of a traceback that reach a person: a runaway recursion has a thousand."""

_OURS = str(Path(initprobe.__file__).parent)
_LIBRARIES = (_OURS, str(Path(torch.__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


@contextmanager
def running(doing: str) -> Iterator[None]:
    """Around user code: what it prints goes to stderr, what it raises becomes a ``TargetError``.

    ``KeyboardInterrupt`` passes through; ``SystemExit`` does not, or a target could end the whole command.

    Args:
        doing: subject of the message (``build() in net.py``).

    Raises:
        TargetError: the code raised; ``trace`` holds its frames.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except InitprobeError:
        raise
    except SystemExit as error:
        raise TargetError(f"{doing} called sys.exit({error.code!r})", trace=user_trace(error)) from error
    except Exception as error:
        raise TargetError(f"{doing} raised {summary(error)}", trace=user_trace(error)) from error


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of torch (CPU and CUDA), numpy and Python, and puts them back afterwards."""
    python, cpu = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002 - the global generator is what user code draws from
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed % 2**63)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda:
            torch.cuda.set_rng_state_all(cuda)


def summary(error: BaseException) -> str:
    """The type and the first line of the message, on one line."""
    lines = str(error).strip().splitlines()
    return visible(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def user_trace(error: BaseException) -> str:
    """The traceback as text without initprobe's and importlib's frames; causes are told too."""
    told = TracebackException.from_exception(error)
    pending: list[TracebackException | None] = [told]
    while pending:
        part = pending.pop()
        if part is not None:
            part.stack[:] = [frame for frame in part.stack if not _hidden(frame.filename)][-FRAMES_SHOWN:]
            pending += [part.__cause__, part.__context__]
    return visible("".join(told.format()).rstrip("\n"))


def raised_by_the_call(error: BaseException) -> bool:
    """Whether no code of the user had begun to run: every frame is one of ours."""
    return all(is_ours(frame.f_code.co_filename) for frame, _ in walk_tb(error.__traceback__))


def visible(text: str) -> str:
    """The text with control characters other than line breaks and tabs written as escapes."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


@cache
def is_ours(filename: str) -> bool:
    """Whether a source file belongs to initprobe."""
    return Path(filename).is_relative_to(_OURS)


def _hidden(filename: str) -> bool:
    return is_ours(filename) or filename.startswith("<frozen importlib") or Path(filename).parent.name == "importlib"


@cache
def in_project(filename: str) -> bool:
    """Whether a source file is the user's own: not torch, not initprobe, not installed, not Python's."""
    if filename.startswith("<"):
        return False
    path = Path(filename)
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(library) for library in _LIBRARIES)
