"""Where text goes: the asked-for format to standard output, files to their paths, everything else to standard error."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from initprobe.cli.checkout import in_checkout
from initprobe.errors import ExitCode, UsageError, inert
from initprobe.records import Entry, Report
from initprobe.report.formats.base import FORMATS, Layers, RenderOptions
from initprobe.report.render import render
from initprobe.report.write import check_writable, is_stream, write_text

if TYPE_CHECKING:
    from rich.status import Status

Color = Literal["auto", "always", "never"]

WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.INTERNAL,
    ExitCode.TARGET,
    ExitCode.USAGE,
    ExitCode.FINDINGS,
    ExitCode.NOTHING,
)
TEXTS = {"full", "concise"}
"""Formats that tell a person about a target that failed."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a person wants to read it."""

    color: Color = "auto"
    layers: Layers = "grouped"
    anatomy: bool = False
    quiet: int = 0
    suppressed: bool = False

    def options(self, stream: TextIO) -> RenderOptions:
        """The rendering options that suit a stream: its encoding, its width, whether it is a terminal."""
        return RenderOptions(
            color=wants_color(self.color, terminal=stream.isatty()),
            unicode=_encodes(stream),
            width=columns(stream),
            layers=self.layers,
            anatomy=self.anatomy,
            quiet=self.quiet,
            suppressed=self.suppressed,
        )


def columns(stream: TextIO | None) -> int | None:
    """How wide a stream is: what COLUMNS says, else its terminal; None for a pipe."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal():
        return int(asked)
    return os.get_terminal_size(stream.fileno()).columns if stream is not None and stream.isatty() else None


def wants_color(asked: Color, *, terminal: bool) -> bool:
    """``--color``, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal."""
    if asked != "auto":
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR", "")
    return forced not in {"", "0"} or (terminal and os.environ.get("TERM") != "dumb")


def _encodes(stream: TextIO) -> bool:
    try:
        "×▁█…→±".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Sink:
    """One ``-o FORMAT[=PATH]``; without a path it is standard output."""

    format_name: str
    path: Path | None = None


def sinks(texts: Sequence[str]) -> tuple[Sink, ...]:
    """The outputs asked for; ``full`` on standard output when nothing is.

    Raises:
        UsageError: there is no such format, or two want the same place.
    """
    found = []
    for text in texts or ["full"]:
        name, equals, path = text.partition("=")
        if path == "-":  # as everywhere: the standard stream
            equals, path = "", ""
        FORMATS.find(name)
        if equals and not path:
            raise UsageError(
                f"-o {text} names no file", hint=f"-o {name} for standard output, -o {name}=FILE for a file"
            )
        if path:
            check_writable(Path(path))
        found.append(Sink(name, Path(path) if path else None))
    if sum(sink.path is None for sink in found) > 1:
        raise UsageError("two formats want standard output", hint="give all but one a path: -o json=result.json")
    paths = [sink.path for sink in found if sink.path is not None and not is_stream(sink.path)]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"two formats want {str(twice)!r}", hint="give each a path of its own")
    return tuple(found)


def deliver(report: Report, outputs: Sequence[Sink], style: Style, save: Path | None = None) -> None:
    """Write every output; what failed is told on standard error where no text format tells it."""
    failed = [entry.failure.message for entry in report.entries if entry.failure is not None]
    owner = next((sink.format_name for sink in outputs if sink.path is None), None)
    all_failed = len(failed) == len(report.entries)
    broken: list[UsageError] = []
    for sink in [*outputs, *([Sink("json", save)] if save is not None else [])]:
        if sink.path is None and sink.format_name in TEXTS and all_failed:
            continue
        try:
            _deliver(report, sink, style)
        except UsageError as error:  # the others are still worth having
            broken.append(error)
    if owner not in TEXTS or all_failed:
        for message in failed:
            tell(message)
    for problem in broken[:-1]:
        tell(problem.render())
    if broken:
        raise broken[-1]


def _deliver(report: Report, sink: Sink, style: Style) -> None:
    if sink.path is None:
        say(render(report, sink.format_name, in_checkout(style.options(sys.stdout or io.StringIO()))))
    else:
        options = in_checkout(RenderOptions(layers=style.layers, anatomy=style.anatomy, suppressed=style.suppressed))
        write_text(sink.path, render(report, sink.format_name, options))


def say(text: str) -> None:
    """Text to standard output; what its encoding cannot show becomes an escape, not a crash.

    Whoever closed the other end of the pipe has seen enough: the rest goes nowhere, and the exit code stays what it is.
    """
    if sys.stdout is None:  # it was closed before we began
        return
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again when it ends
        raise UsageError(f"cannot write to standard output: {error.strerror}") from error


def tell(message: str) -> None:
    """A line to standard error; nothing in it is a command to a CI runner."""
    emit([inert(message)])


def emit(lines: Sequence[str]) -> None:
    """Lines to standard error as they are, commands to a CI runner included."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write("".join(f"{line}\n" for line in lines).encode(encoding, "backslashreplace").decode(encoding))


def exit_code(report: Report, *, judged: bool) -> ExitCode:
    """The worst over all entries.

    Args:
        report: the report.
        judged: whether a failed verdict counts (``check``), or only targets that could not be probed (``run``).
    """
    codes = {_code(entry, judged=judged) for entry in report.entries}
    return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)


def _code(entry: Entry, *, judged: bool) -> ExitCode:
    if entry.failure is not None:
        return ExitCode(entry.failure.exit_code)
    return ExitCode.FINDINGS if judged and entry.verdict == "fail" else ExitCode.OK


@contextmanager
def progress(*, quiet: int) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what happens, where somebody can see it.

    What the user's own code prints goes to standard error too: standard output holds what was asked for.
    """
    with redirect_stdout(sys.stderr):
        if quiet or not sys.stderr.isatty():
            yield lambda _line: None
            return
        from rich.console import Console
        from rich.text import Text

        status: Status
        with Console(stderr=True).status(Text("loading torch")) as status:
            yield lambda line: status.update(Text(line))


@contextmanager
def tracebacks(shown: Literal["short", "full"]) -> Iterator[Callable[[BaseException], None]]:
    """Print the whole traceback of whatever goes wrong, where ``--traceback full`` asks for it.

    Yields what does so, for errors that do not end the command.
    """

    def show(error: BaseException) -> None:
        if shown == "full":
            tell("".join(traceback.format_exception(error)))

    try:
        yield show
    except Exception as error:
        show(error)
        raise
