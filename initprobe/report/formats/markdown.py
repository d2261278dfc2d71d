"""What a GitHub job summary or a pull request shows."""

from __future__ import annotations

import html
from dataclasses import replace

from initprobe.records import Entry, Finding, Report
from initprobe.report.anatomy import branch_table, weight_table
from initprobe.report.asked import asked_tables
from initprobe.report.diagnostic import location_text
from initprobe.report.difference import difference_lines
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.phrases import active, coverage_lines, header, notes, summary_line, verdict_phrase
from initprobe.report.residual import residual_table
from initprobe.report.tables import Cell, Grid, compare_table, layer_table
from initprobe.report.visible import markdown_cell, visible, visible_lines

_MOST = 1000
"""Rows of one table: a job summary holds 1 MiB, and GitHub shows nothing of a longer one."""

_ICONS = {"error": "❌", "warning": "⚠️", "info": "ℹ️"}


@report_format("markdown", extension=".md")
def markdown(report: Report, options: RenderOptions) -> str:
    """Tables and findings for a GitHub job summary or a comment."""
    options = replace(options, unicode=True)
    blocks = [f"## initprobe {markdown_cell(visible(report.command))}: {markdown_cell(summary_line(report.entries))}"]
    if report.side_by_side:
        blocks += _table(compare_table(report.entries))
    for entry in report.entries:
        blocks += _entry(report.command, entry, options)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _entry(command: str, entry: Entry, options: RenderOptions) -> list[str]:
    verdict, tone = verdict_phrase(entry)
    icon = f"{_ICONS[tone]} " if tone in _ICONS else ""
    blocks = [f"### {icon}{markdown_cell(header(entry))}: {markdown_cell(verdict)}"]
    if entry.failure is not None:
        lines = map(html.escape, visible_lines(entry.failure.message))
        return [*blocks, "\n".join(["<pre>", *lines, "</pre>"])]
    compared = command == "diff"  # which has a line for every change, and no findings beside
    found = [] if compared else active([entry])
    blocks += [_finding_table(found), *_fixes(found), _items(notes(entry)), _difference(entry, brief=not compared)]
    layers = _table(layer_table(entry, options))
    blocks += layers if command == "run" else _folded("Layers", layers)
    blocks += _folded("Residual streams", _table(residual_table(entry)))
    blocks += _folded(
        "Statistics asked for", [block for grid in asked_tables(entry, options) for block in _table(grid)]
    )
    if options.anatomy:
        blocks += _folded("Parameters", _table(weight_table(entry, options)))
        blocks += _folded("Residual branches", _table(branch_table(entry, options)))
    return [*blocks, _items(coverage_lines(entry))]


def _difference(entry: Entry, *, brief: bool) -> str:
    """What changed since an earlier measurement."""
    lines = difference_lines(entry, brief=brief)
    return _items([" ".join("".join(text for text, _ in line).split()) for line in lines])


def _finding_table(findings: list[Finding]) -> str:
    if not findings:
        return ""
    lines = ["| | rule | where | what | measured |", "|:-:|:--|:--|:--|:--|"]
    for finding in findings:
        rule = f"{visible(finding.rule.code)} {visible(finding.rule.name)}"
        place = location_text(finding.location) if finding.location else ""
        where = " — ".join(text for text in (place, visible(finding.label, 1000)) if text)
        fixed = [f"fix: {finding.fix.summary} (verified: {finding.fix.verified})"] if finding.fix is not None else []
        what = " — ".join(visible(text, 1000) for text in (finding.message, *finding.notes, *fixed))
        cells = (rule, where, what, visible(finding.measured, 1000))
        lines.append(f"| {_ICONS[finding.severity]} | {' | '.join(map(markdown_cell, cells))} |")
    return "\n".join(lines)


def _fixes(findings: list[Finding]) -> list[str]:
    """What to paste, folded away; once, where several findings have it in common."""
    found = dict.fromkeys(finding.fix for finding in findings if finding.fix is not None)
    blocks = []
    for fix in found:
        for name, text in (("YAML", fix.yaml), ("Python", fix.python)):
            lines = map(html.escape, visible_lines(text)) if text else ()
            pasted = "\n".join(["<pre>", *lines, "</pre>"])
            blocks += _folded(f"Fix as {name}: {markdown_cell(visible(fix.summary))}", [pasted] if text else [])
    return blocks


def _table(grid: Grid) -> list[str]:
    """A table and its legend; rows beyond the limit are counted."""
    if not grid.rows:
        return []
    heads = [markdown_cell(f"{column.over} {column.head}".strip()) for column in grid.columns]
    rules = ["--:" if column.right else ":--" for column in grid.columns]
    lines = [f"| {' | '.join(heads)} |", f"|{'|'.join(rules)}|"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in grid.rows[:_MOST]]
    more = len(grid.rows) - _MOST
    counted = [f"{more} more rows are in the json format"] if more > 0 else []
    return ["\n".join(lines), *counted, markdown_cell(grid.legend)]


def _cell(cell: Cell) -> str:
    text, tone = cell
    encoded = markdown_cell(" ".join(text.split()))
    return f"**{encoded}**" if tone in {"error", "warning"} and encoded else encoded


def _folded(title: str, blocks: list[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", *blocks, "</details>"] if blocks else []


def _items(texts: list[str]) -> str:
    return "\n".join(f"- {markdown_cell(text)}" for text in texts)
