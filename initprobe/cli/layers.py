"""The layers of the YAML language, as ``explain`` and ``ls blocks`` show them. Loads torch when it is asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from initprobe.cli.columns import fitted
from initprobe.cli.output import columns

PREFIX = "block:"
"""Tells ``explain`` that a layer is meant, where something else has the same name."""


def explain_block(name: str, known: list[str]) -> str | None:
    """What a layer is, its options and an example, in the width of the terminal; None where there is none of that name.

    The example is for a spec, and its line is never broken.
    """
    from initprobe.load.block_cards import IN_A_SPEC, block_card, explained
    from initprobe.load.blocks.base import BLOCKS

    wanted = name.removeprefix(PREFIX)
    names = [alias for one in BLOCKS for alias in (one, *BLOCKS.aliases_of(one))]
    known += [PREFIX + one for one in names] if name != wanted else names
    if wanted not in names:
        return None
    told, mark, example = explained(block_card(wanted)).partition(IN_A_SPEC)
    return fitted(told, columns(sys.stdout)) + mark + example


def blocks() -> Iterator[Mapping[str, Any]]:
    """A row for every layer."""
    from initprobe.load.block_cards import block_cards

    for card in block_cards():
        options = ", ".join(option.name + "*" * (option.default is None) for option in card.options)
        yield {"name": card.name, "aliases": ", ".join(card.aliases), "summary": card.summary, "options": options}
