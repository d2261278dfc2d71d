"""An init as YAML: the section of a spec that says which scheme draws which weight."""

from __future__ import annotations

import json
import re
from typing import Any

from initprobe.load.scalars import resolve
from initprobe.records import InitRequest, Override, SchemeChoice

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
"""Text that needs no quotes, in a flow collection either."""


def scalar_text(value: Any) -> str:
    """A number, a truth value or a text; text is quoted where it would read as something else."""
    if isinstance(value, str) and _WORD.fullmatch(value) and resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def scheme_text(choice: SchemeChoice) -> str:
    """``kaiming_normal``, or ``{scheme: normal, std: 0.02}``."""
    if not choice.options:
        return scalar_text(choice.name)
    options = ", ".join(f"{scalar_text(key)}: {scalar_text(value)}" for key, value in choice.options)
    return f"{{scheme: {scalar_text(choice.name)}, {options}}}"


def override_text(override: Override) -> str:
    """``{match: head, scheme: zeros}``."""
    if override.layer_type is None:
        match = scalar_text(override.glob)
    else:
        name = f", name: {scalar_text(override.glob)}" if override.glob is not None else ""
        match = f"{{type: {scalar_text(override.layer_type)}{name}}}"
    return f"{{match: {match}, scheme: {scheme_text(override.scheme)}}}"


def init_lines(init: InitRequest) -> list[str]:
    """What stands under ``init:``, without indentation; empty where nothing is drawn."""
    lines = [f"default: {scheme_text(init.default)}"] if init.default is not None else []
    if init.overrides:
        lines += ["overrides:", *(f"  - {override_text(one)}" for one in init.overrides)]
    if init.only:
        lines.append(f"only: [{', '.join(map(scalar_text, init.only))}]")
    return lines


def init_section(init: InitRequest) -> str:
    """The whole section, in lines that end in newlines."""
    return "".join(f"{line}\n" for line in ["init:", *(f"  {line}" for line in init_lines(init))])


def init_flow(init: InitRequest) -> str:
    """The same on one line: ``{default: kaiming_normal}``."""
    parts = [f"default: {scheme_text(init.default)}"] if init.default is not None else []
    if init.overrides:
        parts.append(f"overrides: {overrides_flow(init.overrides)}")
    if init.only:
        parts.append(f"only: [{', '.join(map(scalar_text, init.only))}]")
    return f"{{{', '.join(parts)}}}"


def overrides_flow(overrides: tuple[Override, ...]) -> str:
    """``[{match: head, scheme: zeros}]``."""
    return f"[{', '.join(map(override_text, overrides))}]"
