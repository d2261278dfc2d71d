"""What a person reads in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from initprobe.records import Entry, Report
from initprobe.report.anatomy import branch_table, weight_table
from initprobe.report.asked import asked_tables
from initprobe.report.changes import change_lines
from initprobe.report.diagnostic import diagnostic
from initprobe.report.difference import changes, difference_lines
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.layers import layer_rows
from initprobe.report.numbers import plural
from initprobe.report.phrases import (
    active,
    check_command,
    counts,
    coverage_lines,
    explain_command,
    header,
    notes,
    row_names,
    shared_header,
    summary_line,
    verdict_phrase,
)
from initprobe.report.residual import residual_table
from initprobe.report.steps import step_table
from initprobe.report.streams import BOTH, Side
from initprobe.report.tables import Grid, compare_table, layer_table
from initprobe.report.terminal import Page
from initprobe.report.visible import visible_lines


@report_format("full", extension=".txt")
def full(report: Report, options: RenderOptions) -> str:
    """Tables and findings for a terminal; the default."""
    page = Page(options)
    if options.quiet < 2:
        if report.command == "diff":
            _diff(page, report)
        elif options.quiet == 1 or report.command == "check" or not report.entries:
            _check(page, report, options)
        elif report.side_by_side:
            _compare(page, report, options)
        else:
            _run(page, report, options)
    return page.text()


def _run(page: Page, report: Report, options: RenderOptions) -> None:
    for place, entry in enumerate(report.entries):
        if place:
            page.line()
        page.line((header(entry), "title"))
        page.line()
        if _failure(page, entry):
            continue
        _layers(page, entry, options)
        if entry.residual:
            _table(page, residual_table(entry))
        _steps(page, entry, options)
        for grid in asked_tables(entry, options):
            _table(page, grid)
        if options.anatomy:
            _anatomy(page, entry, options)
        _findings(page, entry, options)
        _notes(page, notes(entry))
        for line in coverage_lines(entry):
            page.line((line, "plain"))
        _, tone = verdict_phrase(entry)
        page.line((f"verdict: {entry.verdict or 'not judged'}", tone), (f" ({counts(entry)})", "plain"))
        _next(page, [*check_command(entry), *explain_command([entry])])
    if len(report.entries) > 1:
        page.line()
        page.line((f"all {plural(len(report.entries), 'target')}", "title"))
        page.line()
        _halves(page, lambda sides: compare_table(report.entries, sides, ranked=False))
        page.line((summary_line(report.entries), "plain"))


def _check(page: Page, report: Report, options: RenderOptions) -> None:
    if report.command == "suggest":  # what it is all about, and not what was tried
        report = replace(report, entries=report.entries[:1])
    for entry in report.entries:
        if len(report.entries) > 1 and (active([entry]) or entry.failure is not None):
            page.line((header(entry), "title"))
            page.line()
        if not _failure(page, entry):
            _findings(page, entry, options)
        _notes(page, notes(entry))
        page.lines(difference_lines(entry, brief=True))
    page.line((summary_line(report.entries), "plain"))


def _diff(page: Page, report: Report) -> None:
    for entry in report.entries:
        if not _failure(page, entry):
            page.lines(difference_lines(entry))
            page.line()
    page.line((changes(report.entries), "plain"))


def _compare(page: Page, report: Report, options: RenderOptions) -> None:
    page.line((shared_header(report.entries), "title"))
    page.line()
    ranked = report.command != "suggest"  # its entries are in their order already
    _halves(page, lambda sides: compare_table(report.entries, sides, ranked=ranked))
    _, names = row_names(report.entries)
    for entry, name in zip(report.entries, names, strict=True):
        _failure(page, entry)
        _notes(page, [note if note.startswith(f"{name}: ") else f"{name}: {note}" for note in notes(entry)])
        if options.anatomy and entry.weights:
            page.line((name, "title"))
            _anatomy(page, entry, options)
    for line in change_lines(report):
        page.line(line)
    _next(page, explain_command(report.entries))


def _anatomy(page: Page, entry: Entry, options: RenderOptions) -> None:
    _table(page, weight_table(entry, options))
    if entry.branches:
        page.line((plural(len(entry.branches), "residual branch", "residual branches"), "title"))
        _table(page, branch_table(entry, options))


def _layers(page: Page, entry: Entry, options: RenderOptions) -> None:
    if layer_rows(entry, options.layers):
        _halves(page, lambda sides: layer_table(entry, options, sides))
        return
    page.line(("no finding names a layer" if entry.sites else "no layer was measured", "dim"))
    page.line()


def _steps(page: Page, entry: Entry, options: RenderOptions) -> None:
    if step_table(entry, options).rows:
        _halves(page, lambda sides: step_table(entry, options, sides))


def _halves(page: Page, table: Callable[[tuple[Side, ...]], Grid]) -> None:
    """A table, or where the terminal is too narrow one for the signal and one for the gradient."""
    whole = table(BOTH)
    for grid in [whole] if page.fits(whole) else [table((side,)) for side in BOTH]:
        _table(page, grid)


def _table(page: Page, grid: Grid) -> None:
    page.table(grid)
    if grid.legend:
        page.line((grid.legend, "dim"))
    page.line()


def _findings(page: Page, entry: Entry, options: RenderOptions) -> None:
    for finding in entry.findings if options.suppressed else active([entry]):
        page.lines(diagnostic(finding))
        page.line()


def _notes(page: Page, texts: list[str]) -> None:
    for text in texts:
        page.line(("note: ", "info"), (text, "plain"))


def _next(page: Page, commands: list[str]) -> None:
    if commands:
        page.line(("next: " + "  |  ".join(commands), "dim"))


def _failure(page: Page, entry: Entry) -> bool:
    if entry.failure is None:
        return False
    for line in visible_lines(entry.failure.message):
        page.line((line, "error"))
    page.line()
    return True
