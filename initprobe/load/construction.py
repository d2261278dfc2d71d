"""Remembers where each module was built, while a factory runs.

Every ``nn.Module`` passes ``Module.__init__``, so that is where a recorder looks at the stack. What it keeps is a code
object and an offset; lines and columns are looked up afterwards.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import linecache
import re
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple, Self

from torch import nn

from initprobe.records import Location
from initprobe.source_lines import in_project, is_ours, remark_at, shown_path

_DEFINITION = re.compile(r"\s*(?:async\s+)?(?:def|class)\s")


class _Place(NamedTuple):
    """An instruction in the user's project; ``direct`` when it called the module's own class, and not a library."""

    code: CodeType
    offset: int
    direct: bool


class _Patch:
    """``Module.__init__`` with a look at the stack; put on by the first recorder and taken off by the last one.

    Recorders of several threads and recorders within recorders share it, so nobody restores what another one needs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._original: Callable[..., None] | None = None
        self._wrapped: Callable[..., None] | None = None
        self.here = threading.local()

    def put_on(self) -> None:
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            original, here = nn.Module.__init__, self.here

            @functools.wraps(original)
            def init(module: nn.Module, *args: Any, **kwargs: Any) -> None:
                recorder = getattr(here, "recorder", None)
                if recorder is not None:
                    recorder.note(module, sys._getframe(1))  # noqa: SLF001 - the one way to the caller's frame
                original(module, *args, **kwargs)

            self._original, self._wrapped = original, init
            nn.Module.__init__ = init  # type: ignore[method-assign, assignment]

    def take_off(self) -> None:
        with self._lock:
            self._users -= 1
            # Someone who patched over us meanwhile keeps their patch; ours below it does nothing any more.
            if self._users == 0 and nn.Module.__init__ is self._wrapped and self._original is not None:
                nn.Module.__init__ = self._original  # type: ignore[method-assign]


_PATCH = _Patch()


class Construction:
    """Context manager that records, in the thread that entered it, where modules are built.

    Modules are known by identity and not kept alive.
    """

    def __init__(self) -> None:
        self._places: dict[int, tuple[weakref.ref[nn.Module], _Place]] = {}
        self._outer: Construction | None = None

    def __enter__(self) -> Self:
        self._outer = getattr(_PATCH.here, "recorder", None)
        _PATCH.put_on()
        _PATCH.here.recorder = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _PATCH.here.recorder = self._outer
        _PATCH.take_off()

    def note(self, module: nn.Module, frame: FrameType | None) -> None:
        """Remember the nearest frame of the user's project that is not the module's own ``__init__``."""
        direct = True
        while frame is not None:
            code = frame.f_code
            if direct and _builds_itself(frame, module):
                frame = frame.f_back
                continue
            if in_project(code.co_filename):
                self._places[id(module)] = weakref.ref(module), _Place(code, frame.f_lasti, direct)
                return
            if is_ours(code.co_filename) and code.co_filename != __file__:
                return  # our own call of the factory
            direct = False
            frame = frame.f_back

    def saw(self, module: nn.Module) -> bool:
        """Whether that very module was built in sight."""
        return self._place(module) is not None

    def _place(self, module: nn.Module) -> _Place | None:
        seen, place = self._places.get(id(module), (None, None))
        return place if seen is not None and seen() is module else None

    def locations(self, model: nn.Module, fallback: Location | None) -> dict[str, Location]:
        """Module path to the place where the module was built, for every module of the model.

        A module that was not seen (a deep copy) takes the place of the module around it, marked approximate.

        Args:
            model: the finished model.
            fallback: the place for a model that was not seen: the line of its factory or class.
        """
        found: dict[str, Location] = {}
        known: dict[_Place, Location] = {}
        for path, module in model.named_modules(remove_duplicate=False):
            place = self._place(module)
            if place is not None:
                found[path] = known.setdefault(place, _located(place))
                continue
            around = found.get(path.rpartition(".")[0], fallback) if path else fallback
            if around is not None:
                found[path] = replace(around, approximate=True)
        return found


def definition(value: object) -> Location | None:
    """The ``def`` or ``class`` line of a factory, a class, or an instance's class; approximate by nature.

    None for what has no source (built-in functions, classes typed into a prompt).
    """
    subject = value.func if isinstance(value, functools.partial) else value
    if not inspect.isroutine(subject) and not isinstance(subject, type):
        subject = type(subject)
    subject = inspect.unwrap(subject)
    try:
        file = inspect.getsourcefile(subject)
        lines, first = inspect.getsourcelines(subject)
    except (OSError, TypeError):
        return None
    if file is None:
        return None
    # The block begins with its decorators.
    below = next((index for index, text in enumerate(lines) if _DEFINITION.match(text)), 0)
    text = lines[below].rstrip()
    column = len(text) - len(text.lstrip()) + 1
    line = max(first, 1) + below
    remark = remark_at(file, line)
    return Location(shown_path(file), line, column, len(text) + 1, text, approximate=True, remark=remark)


def class_locations(model: nn.Module) -> dict[str, Location]:
    """For a model that was built out of sight: the line of each module's nearest enclosing class of the user's project.

    The line of the model's own class where there is none.
    """
    kinds = {type(module) for module in model.modules()}
    lines = {kind: definition(kind) for kind in kinds if in_project(_file_of(kind))}
    found: dict[str, Location] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        place = lines.get(type(module))
        if place is None:
            place = found.get(path.rpartition(".")[0]) if path else definition(model)
        if place is not None:
            found[path] = place
    return found


def _file_of(kind: type) -> str:
    return getattr(sys.modules.get(kind.__module__), "__file__", None) or "<unknown>"


def _builds_itself(frame: FrameType, module: nn.Module) -> bool:
    """Whether the frame is a method of the module under construction (its ``__init__`` on the way to ours)."""
    code = frame.f_code
    if not code.co_varnames:
        return False
    first = frame.f_locals.get(code.co_varnames[0])
    if code.co_argcount == 0 and isinstance(first, tuple) and first:  # a wrapper with nothing but *args
        first = first[0]
    return first is module


def _located(place: _Place) -> Location:
    code, offset, direct = place
    positions = next(itertools.islice(code.co_positions(), offset // 2, None), (None,) * 4)
    line, end_line, start, end = positions
    line = line or code.co_firstlineno
    text = linecache.getline(code.co_filename, line).rstrip()
    column = _characters(text, start) + 1 if start is not None else len(text) - len(text.lstrip()) + 1
    same_line = end is not None and end_line == line
    end_column = _characters(text, end) + 1 if same_line and end is not None else len(text) + 1
    shown, remark = shown_path(code.co_filename), remark_at(code.co_filename, line)
    return Location(shown, line, column, end_column, text, approximate=not direct, remark=remark)


def _characters(text: str, offset: int) -> int:
    """Python counts columns in UTF-8 bytes, people in characters."""
    return len(text.encode()[:offset].decode(errors="ignore"))
