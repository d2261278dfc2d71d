"""What an output format is: a function from a Report to one string."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from initprobe.records import Report
from initprobe.registry import Registry
from initprobe.report.options import Layers, RenderOptions

__all__ = ["FORMATS", "Layers", "RenderOptions", "Rendering", "ReportFormat", "report_format"]

Rendering = Callable[[Report, RenderOptions], str]


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One format.

    Attributes:
        name: what ``-o`` calls it.
        extension: how its files end, with the dot.
        summary: one line for ``ls formats``.
        render: the function.
    """

    name: str
    extension: str
    summary: str
    render: Rendering


FORMATS: Registry[ReportFormat] = Registry("format", "initprobe.report.formats", "initprobe.formats")


def report_format(name: str, *, extension: str) -> Callable[[Rendering], Rendering]:
    """Register a function from a Report to a string that ends in a newline (or is empty) as a format."""

    def register(render: Rendering) -> Rendering:
        summary = (render.__doc__ or "").strip().partition("\n")[0]
        FORMATS.add(name, ReportFormat(name, extension, summary, render))
        return render

    return register
