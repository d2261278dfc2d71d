"""Every mistake that initprobe knows how to explain, with the exit code that belongs to it.

A message says what is wrong, where, and what to do. Whatever is raised here reaches the user as that message; anything
else is a bug of ours and ends with exit code 5.
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, Protocol

KeyPath = tuple[str | int, ...]
"""Where a value stands in a document: ``("model", "layers", 2, "type")``."""


class ExitCode(IntEnum):
    """What a process that ran initprobe ends with: a stable contract."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    TARGET = 3
    NOTHING = 4
    INTERNAL = 5
    INTERRUPTED = 130


class InitprobeError(Exception):
    """A mistake that has a clear message.

    Attributes:
        kind: the word in brackets after ``error``.
    """

    exit_code = ExitCode.USAGE
    kind = "usage"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def hint(self) -> str | None:
        """What to do about it; a traceback shows it below the message."""
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        self._hint = hint
        self.__notes__ = [f"hint: {hint}"] if hint else []

    def render(self) -> str:
        """The message as it is shown to a person, hint included."""
        text = f"error[{self.kind}]: {self}"
        return f"{text}\n  = help: {self.hint}" if self.hint else text


class UsageError(InitprobeError):
    """The command line or the Python call asks for something that is not there."""


class MissingExtraError(UsageError):
    """An optional dependency is needed and not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the {extra!r} extra", hint=f'pip install "initprobe[{extra}]"')


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document.

    Attributes:
        message: what is wrong.
        path: the key path of the value (or of the key) it is about.
        hint: what to do, shown under the caret.
        on: whether the caret stands under the key or under the value.
    """

    message: str
    path: KeyPath = ()
    hint: str | None = None
    on: Literal["key", "value"] = "value"


class Locator(Protocol):
    """Knows where key paths stand in a file (``records.Spec`` does)."""

    def explain(self, problem: Problem) -> str:
        """The problem as text with ``file:line:col``, the source line and a caret."""
        ...


class SpecError(UsageError):
    """A YAML document is wrong; all its problems are told in one go."""

    kind = "spec"

    def __init__(self, problems: list[Problem] | tuple[Problem, ...], *, spec: Locator | None = None) -> None:
        self.problems = tuple(problems)
        self.spec = spec
        super().__init__("; ".join(problem.message for problem in self.problems))

    def located(self, spec: Locator) -> SpecError:
        """The same problems, now with the file they stand in."""
        return self if self.spec is not None else SpecError(self.problems, spec=spec)

    def render(self) -> str:
        """Every problem, each with its place and a caret."""
        if self.spec is None:
            lines = []
            for problem in self.problems:
                where = f" (at {'.'.join(map(str, problem.path))})" if problem.path else ""
                lines.append(f"error[{self.kind}]: {problem.message}{where}")
                if problem.hint:
                    lines.append(f"  = help: {problem.hint}")
            return "\n".join(lines)
        return "\n".join(self.spec.explain(problem) for problem in self.problems)


class CodeNotAllowedError(UsageError):
    """A file names Python code, and the command line has not allowed it to run."""

    kind = "code"


class TargetError(InitprobeError):
    """The user's model could not be imported, built or run.

    Attributes:
        trace: the user's own frames of the traceback, already formatted, ours left out; empty when there is none.
    """

    exit_code = ExitCode.TARGET
    kind = "target"

    def __init__(self, message: str, *, hint: str | None = None, trace: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trace = trace

    def render(self) -> str:
        """The message, the user's own frames, the hint."""
        text = f"error[{self.kind}]: {self}"
        if self.trace:
            text += "\n" + self.trace.rstrip("\n")
        return f"{text}\n  = help: {self.hint}" if self.hint else text


class NothingToProbeError(InitprobeError):
    """There is no layer to measure or nothing to judge."""

    exit_code = ExitCode.NOTHING
    kind = "nothing"


def user_trace(error: BaseException) -> str:
    """The traceback as text with the user's own frames; causes are told too.

    Ours and the import machinery's are left out. A failure deep inside a library is best explained by the user's line
    that called it, so a library's frames are shown only where there is no other.
    """
    told = traceback.TracebackException.from_exception(error)
    pending: list[traceback.TracebackException | None] = [told]
    while pending:
        part = pending.pop()
        if part is None:
            continue
        frames = [frame for frame in part.stack if not _hidden(frame.filename)]
        own = [frame for frame in frames if not _LIBRARY.intersection(Path(frame.filename).parts)]
        part.stack[:] = (own or frames[-1:])[-FRAMES_SHOWN:]
        pending += [part.__cause__, part.__context__]
    return visible_lines("".join(told.format()).rstrip("\n"))


def visible_lines(text: str) -> str:
    """The text with control characters other than line breaks and tabs written as escapes."""
    return "".join(char if char.isprintable() or char in "\n\t" else repr(char)[1:-1] for char in text)


def inert(text: str) -> str:
    """The text without lines that a CI runner would take for commands (``::error``, ``##[group]``)."""
    return re.sub(r"(?m)^(\s*)(?:(:):|(#)#\[)", _escaped_command, text)


def _escaped_command(found: re.Match[str]) -> str:
    return f"{found[1]}\\x3a:" if found[2] else f"{found[1]}\\x23#["


def first_line(error: BaseException) -> str:
    """Type and first line of an exception."""
    lines = str(error).strip().splitlines()
    return visible_lines(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)


def raised_here(error: BaseException) -> bool:
    """Whether the innermost frame of the traceback is initprobe's own code: a bug of ours, not the user's.

    A function mode stands between the user's operation and torch, so its frame is the innermost one of every shape
    mismatch; what fails under it is the operation, not the mode.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != "__torch_function__"]
    return bool(frames) and Path(frames[-1].filename).is_relative_to(_HERE)


FRAMES_SHOWN = 20
"""The innermost frames of a traceback that reach a person: a runaway recursion has a thousand."""

_HERE = Path(__file__).parent
_LIBRARY = {"site-packages", "dist-packages"}


def _hidden(file: str) -> bool:
    path = Path(file)
    return file.startswith("<frozen") or path.is_relative_to(_HERE) or path.parent.name == "importlib"
