"""What a reader may ask of a format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layers = Literal["grouped", "flagged", "all"]


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a person wants to read it, and for formats that name files to a machine, what lies around.

    Attributes:
        color: whether escape codes may colour the text.
        unicode: whether the sink can show more than ASCII.
        width: columns of the terminal; None for a pipe or a file, where nothing is wrapped.
        layers: which rows the layer table has.
        anatomy: whether to add the table of the weights.
        quiet: 1 for findings only, 2 for nothing.
        folder: where the working directory lies in the repository (``services/model``); empty for its root, or where
            that is not known.
        root: the repository's root, as an absolute path with forward slashes; empty where it is not known.
        anchor: a file that is there, for formats in which nothing can be said without one; empty where none is known.
        suppressed: whether to show findings that do not count, and why not.
    """

    color: bool = False
    unicode: bool = True
    width: int | None = None
    layers: Layers = "grouped"
    anatomy: bool = False
    quiet: int = 0
    folder: str = ""
    root: str = ""
    anchor: str = ""
    suppressed: bool = False
