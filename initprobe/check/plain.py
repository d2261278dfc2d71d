"""Plain runs: weights in a row that no normalization stands between, so that their scale decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initprobe.check.case import Case
from initprobe.check.fit import SHORTEST_RUN
from initprobe.check.undecided import gains_of
from initprobe.records import MATRIX_ROLES, ActivationUse, Segment, Site, Weight


@dataclass(frozen=True, slots=True)
class PlainRun:
    """A judged run of pre-activations, with the weights that made them.

    Attributes:
        segment: the run and its gains.
        layers: call site and weight of every layer but the model's head, which has the task's width.
    """

    segment: Segment
    layers: tuple[tuple[Site, Weight], ...]

    @property
    def troubled(self) -> bool:
        """Whether the signal or the gradient drifts beyond a limit."""
        return any(gain.status in {"warning", "error"} for _, gain in gains_of(self.segment))

    @property
    def activation(self) -> ActivationUse | None:
        """The activation in front of most layers, None where most have none."""
        uses = Counter(weight.input_activation for _, weight in self.layers[1:])
        return uses.most_common(1)[0][0] if uses else None


def plain_runs(case: Case) -> Iterator[PlainRun]:
    """Every judged run of pre-activations that has enough matrices or kernels to speak of."""
    sites = {site.key: site for site in case.facts.anatomy.sites}
    for segment in case.facts.segments:
        if segment.kind != "pre-activation":
            continue
        layers = tuple(_layers(case, [sites[key] for key in segment.sites]))
        if len(layers) >= SHORTEST_RUN:
            yield PlainRun(segment, layers)


def _layers(case: Case, sites: Sequence[Site]) -> Iterator[tuple[Site, Weight]]:
    for site in sites:
        weight = None if site.weight is None else case.weight(site.weight)
        if weight is not None and weight.role in MATRIX_ROLES and not weight.head:
            yield site, weight
