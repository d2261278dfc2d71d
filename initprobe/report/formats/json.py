"""The result file: everything that was measured, for programs."""

from __future__ import annotations

import json
from typing import Any

from initprobe.records import Report
from initprobe.report.formats.base import RenderOptions, report_format
from initprobe.report.result import to_result

_LINE = 160


@report_format("json", extension=".json")
def result_json(report: Report, options: RenderOptions) -> str:
    """The result file (initprobe/result/v1): strict JSON with everything that was measured."""
    del options
    return _laid_out(to_result(report), "") + "\n"


def _laid_out(value: Any, indent: str) -> str:
    """JSON with one record per line where it is short, so that people and diff can read it too."""
    if not isinstance(value, dict | list) or _is_row(value):
        return json.dumps(value, allow_nan=False)
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_laid_out(item, deeper)}" for key, item in value.items()]
    else:
        items = [_laid_out(item, deeper) for item in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    flat = f"{first}{', '.join(items)}{last}"
    if len(flat) <= _LINE and "\n" not in flat:
        return flat
    inner = f",\n{deeper}".join(items)
    return f"{first}\n{deeper}{inner}\n{indent}{last}"


def _is_row(value: dict[str, Any] | list[Any]) -> bool:
    """A list of plain numbers stays on one line however long it is."""
    return isinstance(value, list) and not any(isinstance(item, dict | list | str) for item in value)
