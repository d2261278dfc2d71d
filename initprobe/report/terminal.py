"""Lays lines and tables out for a terminal or a pipe; the only place that knows rich."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from initprobe.report.diagnostic import Line
from initprobe.report.options import RenderOptions
from initprobe.report.tables import Cell, Grid
from initprobe.report.visible import ascii_text

_STYLES = {
    "plain": "",
    "title": "bold",
    "dim": "dim",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "pass": "green",
}
_NATURAL = 1_000_000
"""Columns where the width is not limited: a pipe has none, and rich would assume 80."""

_GAP = 2


class Page:
    """Text that grows line by line.

    Strings become ``rich.text.Text``, never markup, so that a layer called ``[red]`` stays what it is.
    """

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._parts: list[RenderableType] = []

    def line(self, *spans: Cell) -> None:
        """Add a line made of coloured pieces."""
        self._parts.append(Text.assemble(*(self._text(span) for span in spans)))

    def lines(self, lines: list[Line]) -> None:
        """Add several."""
        for line in lines:
            self.line(*line)

    def fits(self, grid: Grid) -> bool:
        """Whether a table needs no folding."""
        width = self._options.width
        return width is None or self._console(_NATURAL, io.StringIO()).measure(self._table(grid)).maximum <= width

    def table(self, grid: Grid) -> None:
        """Add a table; where it is wider than the terminal, each row becomes a few lines, and nothing is cut."""
        if self.fits(grid):
            self._parts.append(self._table(grid))
            return
        heads = [f"{column.over} {column.head}".strip() for column in grid.columns]
        for row in grid.rows:
            self.line(row[0])
            for head, cell in zip(heads[1:], row[1:], strict=True):
                if cell[0]:
                    self.line((f"  {head}: ", "dim"), cell)

    def text(self) -> str:
        """Everything, without blanks at line ends, ending in a newline; empty when nothing was added."""
        written = io.StringIO()
        console = self._console(self._options.width or _NATURAL, written)
        for part in self._parts:
            console.print(part, soft_wrap=isinstance(part, Text))
        lines = written.getvalue().removesuffix("\n").split("\n") if self._parts else []
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _table(self, grid: Grid) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_edge=False)
        two_lines = any(column.over for column in grid.columns)
        over = ""
        for column in grid.columns:
            upper = "" if column.over == over else column.over
            over = column.over
            head = self._text((f"{upper}\n{column.head}" if two_lines else column.head, "title"))
            table.add_column(head, justify="right" if column.right else "left", no_wrap=True)
        for row in grid.rows:
            table.add_row(*map(self._text, row))
        return table

    def _text(self, span: Cell) -> Text:
        text, tone = span
        return Text(text if self._options.unicode else ascii_text(text), style=_STYLES[tone])

    def _console(self, width: int, file: io.StringIO) -> Console:
        """A console that ignores the environment: colour and width were decided by whoever made the options."""
        color = self._options.color
        return Console(
            file=file,
            width=width,
            force_terminal=color,
            color_system="standard" if color else None,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )
