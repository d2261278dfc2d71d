"""The layers of the YAML language, as ``explain`` and ``ls blocks`` show them. Loads torch when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PREFIX = "block:"
"""Tells ``explain`` that a layer is meant, where something else has the same name."""


def explain_block(name: str, known: list[str]) -> str | None:
    """What a layer is, its options and an example; None where there is none of that name."""
    from initprobe.load.block_cards import block_card, explained
    from initprobe.load.blocks.base import BLOCKS

    wanted = name.removeprefix(PREFIX)
    names = [alias for one in BLOCKS for alias in (one, *BLOCKS.aliases_of(one))]
    known += [PREFIX + one for one in names] if name != wanted else names
    return explained(block_card(wanted)) if wanted in names else None


def blocks() -> Iterator[Mapping[str, Any]]:
    """A row for every layer."""
    from initprobe.load.block_cards import block_cards

    for card in block_cards():
        options = ", ".join(option.name + "*" * (option.default is None) for option in card.options)
        yield {"name": card.name, "aliases": ", ".join(card.aliases), "summary": card.summary, "options": options}
