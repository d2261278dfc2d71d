"""A table for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from initprobe.records import Entry, Estimate, Report, StatisticSummary
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.visible import csv_text, visible

_HEAD = (
    "target",
    "scheme",
    "order",
    "site",
    "path",
    "module_type",
    "kind",
    "alias_of",
    "shape",
    "dtype",
    "direction",
)
_PARTS = ("mean", "low", "high")

Row = tuple[tuple[str | int, ...], Mapping[str, StatisticSummary]]


@report_format("csv", extension=".csv")
def site_rows(report: Report, options: RenderOptions) -> str:
    """One row per call site and direction, with every scalar statistic as mean, low and high."""
    del options
    rows = [row for entry in report.entries for row in _rows(entry)]
    names = sorted({name for _, found in rows for name, value in found.items() if isinstance(value, Estimate)})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", strict=True)
    writer.writerow([*_HEAD, *(_text(f"{name}_{part}") for name in names for part in _PARTS)])
    for head, found in rows:
        writer.writerow([*head, *(number for name in names for number in _numbers(found.get(name)))])
    return out.getvalue()


def _rows(entry: Entry) -> list[Row]:
    rows: list[Row] = []
    for summary in entry.sites:
        site = summary.site
        head = (
            _text(entry.name),
            _text(entry.scheme),
            site.order,
            _text(site.key),
            _text(site.path),
            _text(site.module_type),
            site.kind,
            _text(site.alias_of or ""),
            "x".join(map(str, summary.shape)),
            _text(summary.dtype),
        )
        rows.append(((*head, "forward"), summary.forward))
        if summary.backward is not None:
            rows.append(((*head, "backward"), summary.backward))
    return rows


def _numbers(statistic: StatisticSummary | None) -> tuple[float | str, ...]:
    """Three numbers (also ``inf`` and ``nan``), or three empty cells where the statistic is absent or a vector."""
    if not isinstance(statistic, Estimate):
        return ("",) * len(_PARTS)
    return (statistic.mean, statistic.low, statistic.high)


def _text(text: str) -> str:
    return csv_text(visible(text))
