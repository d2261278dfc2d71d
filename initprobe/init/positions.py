"""Which parameters say where a token is: tables of positions, lookups by position, biases by distance."""

from __future__ import annotations

import re

from initprobe.records import Weight

POSITION = frozenset(["wpe", "pos", "position", "positions", "positional", "posemb", "posembed"])
RELATIVE = frozenset(["rel", "relative"])
TOLD = ("bias", "embedding", "other")


def is_table(weight: Weight) -> bool:
    """Whether a parameter is added like a bias, and has several rows: positions, as a rule."""
    return weight.role == "bias" and _long_axes(weight) > 1


def is_position(weight: Weight) -> bool:
    """Whether a parameter tells the network where a token stands.

    That is a table that is added outside of all branches, or one that is named after positions: who looks it up does
    not tell a position from a token, and one that is stretched to the size of an image is not added as it is.
    """
    if weight.role not in TOLD or _long_axes(weight) < 2 or RELATIVE & _words(weight):
        return False
    return bool(POSITION & _words(weight)) or (weight.role == "bias" and weight.branch is None)


def is_relative(weight: Weight) -> bool:
    """Whether a parameter tells an attention how far two tokens are apart: by its name, or added inside of a branch."""
    if weight.role not in TOLD or _long_axes(weight) < 2:
        return False
    return bool(RELATIVE & _words(weight)) or (weight.role == "bias" and weight.branch is not None)


def is_class_token(weight: Weight) -> bool:
    """Whether a parameter is a token of its own, or a few: class tokens, registers, mask tokens."""
    if weight.role != "other" or len(weight.shape) < 2 or (POSITION | RELATIVE) & _words(weight):
        return False
    return _long_axes(weight) == 1 or (len(weight.shape) == 3 and weight.shape[0] == 1)


def _long_axes(weight: Weight) -> int:
    return sum(extent > 1 for extent in weight.shape)


def _words(weight: Weight) -> frozenset[str]:
    """The words of its own name and of its module's; what lies further out speaks of more than this parameter."""
    return frozenset(re.split(r"[._]", ".".join(weight.name.lower().split(".")[-2:])))
