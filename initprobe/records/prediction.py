"""What theory expects of the sites that were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Expected:
    """One number that theory expects at one site, in one direction.

    Attributes:
        accumulated: RMS, followed from the model's input (the gradient from its output); None where there is no
            prediction.
        local: RMS, from what was measured at the nearest sites before it (behind it, for the gradient).
        spread: standard deviation, over draws, of the logarithm of the RMS: what a finite width leaves open.
        why: why there is no prediction, None where there is one.
        resumed: whether something on the way had no prediction, so that ``accumulated`` starts from what was measured
            there.
    """

    accumulated: float | None = None
    local: float | None = None
    spread: float = 0.0
    why: str | None = None
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class SitePrediction:
    """What theory expects at one site; ``backward`` is None where no gradient was measured."""

    key: str
    forward: Expected
    backward: Expected | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What theory expects of a network, as its weights are.

    Attributes:
        sites: by key, those that were measured.
    """

    sites: Mapping[str, SitePrediction] = field(default_factory=dict)

    def at(self, key: str, direction: Literal["forward", "backward"]) -> Expected | None:
        """What is expected of a site's value or gradient, None where nothing was asked."""
        site = self.sites.get(key)
        if site is None:
            return None
        return site.forward if direction == "forward" else site.backward
