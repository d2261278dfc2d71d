"""What the Python face answers with: a thin façade over the frozen ``records.Report`` that adds nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from initprobe.records import Entry, Finding, Report, SiteSummary, Verdict
from initprobe.report.formats.base import RenderOptions
from initprobe.report.render import render
from initprobe.report.write import write_text


@dataclass(frozen=True, slots=True)
class Result:
    """What a probe found.

    Attributes:
        report: the frozen records; everything else here reads them.
    """

    report: Report

    @property
    def entry(self) -> Entry:
        """The first entry: the only one, unless several networks or schemes were compared."""
        return self.report.entries[0]

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict of all entries."""
        verdicts = [entry.verdict for entry in self.report.entries]
        return next((worst for worst in ("fail", "inconclusive", "pass") if worst in verdicts), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all entries."""
        return tuple(finding for entry in self.report.entries for finding in entry.findings)

    @property
    def sites(self) -> dict[str, SiteSummary]:
        """The first entry's call sites by key, in execution order."""
        return {summary.site.key: summary for summary in self.entry.sites}

    def render(self, format_name: str = "full", options: RenderOptions | None = None) -> str:
        """The report as text in one of the formats of ``initprobe ls formats``."""
        return render(self.report, format_name, options)

    def save(self, path: str | Path, format_name: str = "json") -> None:
        """Write the report to a file; an old file stays as it is if that fails."""
        write_text(Path(path), self.render(format_name))

    def plots(self, directory: str | Path, formats: Sequence[str] = ("png", "svg")) -> tuple[Path, ...]:
        """Draw every plot that applies, and return the paths."""
        from initprobe.report.figures import save_plots

        return save_plots(self.report, Path(directory), formats=tuple(formats))

    def __str__(self) -> str:
        return self.render()
