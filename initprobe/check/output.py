"""What the seeds say of the model's output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from initprobe.check.case import Case
from initprobe.check.signals import Array


@dataclass(frozen=True, slots=True)
class Logits:
    """The logits of a classifier over the seeds.

    Attributes:
        classes: how many.
        site: key of the site that shows them, in a tuple; empty where none does.
        entropy, spread: shape (seeds, 1), see the statistics ``class_entropy`` and ``class_spread``.
    """

    classes: int
    site: tuple[str, ...]
    entropy: Array
    spread: Array

    @classmethod
    def of(cls, case: Case) -> Self | None:
        """The logits, None where the output is not known to be any."""
        outputs = [evidence.trace.output for evidence in case.facts.evidences]
        known = [one for one in outputs if one is not None and one.classes is not None]
        if not known or len(known) < len(outputs):
            return None
        first = known[0]
        assert first.classes is not None
        rows = [[_number(one.logits.get(name)) for name in ("class_entropy", "class_spread")] for one in known]
        numbers = np.array(rows, dtype=np.float64)
        return cls(first.classes, shown(case, first.site), numbers[:, :1], numbers[:, 1:])


def shown(case: Case, site: str | None) -> tuple[str, ...]:
    """A site that the anatomy knows, in a tuple; an empty one where it does not."""
    return tuple(one.key for one in case.facts.anatomy.sites if one.key == site)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
