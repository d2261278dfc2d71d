"""What the options of ``check`` say about judging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from initprobe.errors import UsageError


def pair(text: str, option: str, form: str) -> tuple[str, str]:
    """``KEY=VALUE`` as two texts.

    Raises:
        UsageError: it is none.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{option} takes {form}, not {text!r}")
    return key, value


def judging_of(
    select: Sequence[str],
    ignore: Sequence[str],
    extend_select: Sequence[str],
    extend_ignore: Sequence[str],
    fail_on: str | None,
    strict: bool,
    severities: Sequence[str],
    thresholds: Sequence[str],
    precision: str | None,
    against: str | None = None,
) -> Mapping[str, Any]:
    """Those fields of the check request that were given."""
    given: dict[str, Any] = {"complete": True}
    named = {"select": select, "ignore": ignore, "extend_select": extend_select, "extend_ignore": extend_ignore}
    given |= {key: tuple(name for text in texts for name in text.split(",")) for key, texts in named.items() if texts}
    if fail_on is not None:
        given["fail_on"] = fail_on
    if strict:
        given["strict"] = True
    if severities:
        given["severities"] = tuple(_severity(text) for text in severities)
    if thresholds:
        given["thresholds"] = tuple(_threshold(text) for text in thresholds)
    if precision is not None:
        given["precision"] = precision
    if against is not None:
        given["against"] = True
    return given


def _severity(text: str) -> tuple[str, str]:
    rule, level = pair(text, "--severity", "RULE=LEVEL")
    if level not in {"error", "warning", "info"}:
        raise UsageError(f"--severity {text}: a level is error, warning or info")
    return rule, level


def _threshold(text: str) -> tuple[str, float]:
    key, value = pair(text, "--threshold", "KEY=VALUE")
    try:
        return key, float(value)
    except ValueError:
        raise UsageError(f"--threshold {text}: {value!r} is no number") from None
