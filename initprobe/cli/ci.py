"""What a run of GitHub Actions is told by itself: annotations, and the summary of the job."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from initprobe.cli.checkout import in_checkout
from initprobe.cli.output import Sink, emit, tell
from initprobe.records import Report
from initprobe.report.formats.base import RenderOptions
from initprobe.report.render import render

_LIMIT = 1024 * 1024 - 1024
"""Bytes of a job summary, with room to spare: GitHub shows nothing of one that is longer than 1 MiB."""

_ROOM = 300
"""Bytes that the sentence about what was cut takes at most."""


def announce(report: Report, outputs: Sequence[Sink], *, off: bool) -> None:
    """Tell GitHub Actions, where this runs in it.

    The annotations go to standard error, which the runner reads for commands like standard output, so that they meet
    nothing that somebody pipes; they are left out where the format ``github`` is on standard output already. The report
    as Markdown is added to the summary of the step.

    Args:
        report: what was found.
        outputs: where it goes besides.
        off: whether ``--no-ci`` was given.
    """
    if off:
        return
    on_stdout = any(sink.format_name == "github" and sink.path is None for sink in outputs)
    if os.environ.get("GITHUB_ACTIONS") == "true" and not on_stdout:
        text = render(report, "github", in_checkout(RenderOptions()))
        emit([line for line in text.splitlines() if line.startswith("::")])
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and all(sink.path is None or sink.path.absolute() != Path(summary).absolute() for sink in outputs):
        _summarize(Path(summary), render(report, "markdown"))


def _summarize(place: Path, text: str) -> None:
    """Add to the summary, which other commands of the step write to as well."""
    try:
        used = place.stat().st_size if place.exists() else 0
        with place.open("a", encoding="utf-8", newline="\n") as file:
            file.write(shortened(text, _LIMIT - used))
    except OSError as error:
        tell(f"note: the job summary could not be written: {error.strerror}")


def shortened(text: str, limit: int) -> str:
    """Whole lines of a Markdown text up to so many bytes, and how many were left out."""
    if len(text.encode()) <= limit:
        return text
    lines, kept, size = text.splitlines(keepends=True), 0, _ROOM
    while size + len(lines[kept].encode()) <= limit:
        size += len(lines[kept].encode())
        kept += 1
    shown = "".join(lines[:kept])
    # what follows an open element would be folded away with it
    depth = len(re.findall(r"<details>", shown)) - len(re.findall(r"</details>", shown))
    closing = "\n</pre>\n" * (shown.count("<pre>") > shown.count("</pre>")) + "\n</details>\n" * depth
    told = f"\n{len(lines) - kept} more lines did not fit; `-o markdown=FILE` has them all.\n"
    return shown + closing + told if limit > _ROOM else ""
