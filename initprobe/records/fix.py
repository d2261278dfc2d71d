"""A change that makes findings go away, measured again before anybody is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fix:
    """What to change, and what was measured once it was changed.

    Attributes:
        summary: the change in one line, as it stands in a spec: ``init.default: kaiming_normal``.
        verified: what was measured with it: ``0.996 [0.987, 1.004], finding gone``; empty where that was not enough.
        yaml: the ``init:`` section of a spec that makes the change, lines that end in newlines.
        python: a function ``init_weights(model)`` to paste that does the same; empty where there is none.
        reason: why it was tried.
    """

    summary: str
    verified: str
    yaml: str = ""
    python: str = ""
    reason: str = ""
