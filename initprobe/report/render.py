"""The verb of the room for text: a Report and the name of a format become a string."""

from __future__ import annotations

from initprobe.records import Report
from initprobe.report.formats.base import FORMATS, RenderOptions


def render(report: Report, format_name: str, options: RenderOptions | None = None) -> str:
    """The report in that format, ending in a newline (or empty, where ``options.quiet`` asks for nothing).

    Raises:
        UsageError: there is no such format.
    """
    return FORMATS.find(format_name).render(report, options or RenderOptions())
