"""Names that are alike but for their numbers: what repeats over blocks, layers and calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def without_numbers(name: str) -> str:
    """The name with a ``*`` for each part that is a number: ``block.*.fc2.weight``."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def alike_but_for_numbers(names: Iterable[str]) -> Sequence[Sequence[str]]:
    """Names grouped over their numbers: ``block.0.gate`` and ``block.7.gate`` are one, in the order of the first."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(without_numbers(name), []).append(name)
    return tuple(groups.values())


def without_digits(name: str) -> str:
    """The name with a ``*`` for every run of digits in it, those within a part and of a call too: ``block.*.fc*#*``."""
    return re.sub(r"[0-9]+", "*", name)
