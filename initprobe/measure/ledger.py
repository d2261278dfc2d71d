"""What is measured of what, and the reduced numbers on their way home: one transfer for a whole pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from initprobe.hooks import unmeasurable
from initprobe.measure.moments import Workspace, together
from initprobe.measure.network.base import MEASUREMENTS, Measurement
from initprobe.measure.reductions import MOMENTS, Reduction, Result, View, to_host
from initprobe.measure.statistics.base import STATISTICS, Statistic
from initprobe.measure.statistics.base import Subject as Described
from initprobe.records import COSTLY, WEIGHT_GRADIENTS, Value


@dataclass(frozen=True)
class Plan:
    """Which statistics are taken of what, and which reductions that takes.

    Attributes:
        statistics: for each thing that is described, every reduction that is run and the statistics that read it.
        weight_gradients: whether the backward pass computes them.
        network: what is measured of the network as a whole, in passes of its own.
    """

    statistics: Mapping[Described, Mapping[Reduction, tuple[Statistic, ...]]]
    weight_gradients: bool
    network: tuple[Measurement, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Plan:
        """The core statistics and those asked for.

        Raises:
            UsageError: no statistic and no measurement of a network has that name.
        """
        whole = dict.fromkeys(name for name in names if name in MEASUREMENTS)
        asked = {STATISTICS.canonical(name) for name in names if name not in COSTLY and name not in whole}
        chosen = [leaf for name, leaf in STATISTICS.items() if leaf.core or name in asked]
        kinds: tuple[Described, ...] = ("forward", "backward", "parameter", "buffer", "gradient", "input", "output")
        return cls(
            {kind: _by_reduction([leaf for leaf in chosen if kind in leaf.of]) for kind in kinds},
            WEIGHT_GRADIENTS in names,
            tuple(MEASUREMENTS[name] for name in whole),
        )


def _by_reduction(leaves: Sequence[Statistic]) -> dict[Reduction, tuple[Statistic, ...]]:
    # The moments come first: others look at them to choose their way.
    reductions = dict.fromkeys([MOMENTS, *(leaf.reduction for leaf in leaves)])
    return {reduction: tuple(leaf for leaf in leaves if leaf.reduction is reduction) for reduction in reductions}


@dataclass
class Ledger:
    """Reduced numbers that wait for the end of the pass, to come home together."""

    plan: Plan
    workspace: Workspace = field(default_factory=Workspace)
    entries: list[tuple[Described, str, Reduction, Result]] = field(default_factory=list)

    def take(self, kind: Described, name: str, view: View) -> None:
        """Reduce a tensor now: later operations may overwrite it."""
        for reduction in self.plan.statistics[kind]:
            if reduction.applies is None or reduction.applies(view):
                self.entries.append((kind, name, reduction, reduction.run(view)))

    def take_all(self, kind: Described, named: Iterable[tuple[str, torch.Tensor | None]]) -> None:
        """Reduce many tensors that nothing will overwrite; those that are not there or not measurable are left out."""
        given = [(name, one.detach()) for name, one in named if one is not None and unmeasurable(one) is None]
        known = together([tensor for _, tensor in given])
        for (name, tensor), moments in zip(given, known, strict=True):
            self.take(kind, name, View(tensor, self.workspace, extremes=False, _moments=moments))

    def statistics(self) -> dict[tuple[Described, str], dict[str, Value]]:
        """All values by what they describe; one transfer brings home what lies on a device."""
        homes = to_host([result for *_, result in self.entries])
        values: dict[tuple[Described, str], dict[str, Value]] = {}
        for (kind, name, reduction, _), numbers in zip(self.entries, homes, strict=True):
            row = values.setdefault((kind, name), {})
            for leaf in self.plan.statistics[kind][reduction]:
                row[leaf.name] = leaf.value(numbers)
        return values
