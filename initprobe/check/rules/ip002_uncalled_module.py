"""IP002: a layer with parameters that never ran."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.records import Weight

USED = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.second = nn.Linear(8, 2)
            self.unused_shape = nn.Flatten()

        def forward(self, x):
            return self.second(self.first(x).relu())

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)
FORGOTTEN = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.forgotten = nn.Linear(8, 8)
            self.second = nn.Linear(8, 2)

        def forward(self, x):
            return self.second(self.first(x).relu())

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)


@rule("IP002", "uncalled-module", "coverage", "warning", "high", good=(USED,), bad=(FORGOTTEN,))
def uncalled_module(case: Case) -> Iterator[Finding]:
    """A layer that owns parameters never ran, and the loss does not depend on them.

    What it does:
        Names leaf modules that own parameters and were never called in the pass, where nothing was computed with those
        parameters either. Modules without parameters are only counted in the coverage. A part of the network in which
        nothing ran is one finding, and so are layers of one kind in many blocks.

    Why is this bad:
        Their init was not judged, they will not learn, and often the forward pass was meant to use them.

    Not a problem when:
        Another task, mode or input uses them (a pooler, an auxiliary head): ignore the rule for those layers.
        A module whose parameters are read without calling it (``F.linear(x, layer.weight)``) is recognized.

    Options:
        check.layer_ignores.

    References:
        PyTorch, ``torch.nn.parallel.DistributedDataParallel``: ``find_unused_parameters``.
    """
    owned: dict[str, list[Weight]] = {path: [] for path in case.facts.anatomy.uncalled}
    for weight in case.facts.anatomy.weights:
        if weight.module in owned:
            owned[weight.module].append(weight)
    forgotten = [
        path for path, weights in owned.items() if weights and not any(_in_use(case, each) for each in weights)
    ]
    used = {weight.module for weight in case.facts.anatomy.weights if _in_use(case, weight)}
    for parts in case.parts(forgotten, sorted(used - set(forgotten))):
        modules = [path for members in parts.values() for path in members]
        first = owned[modules[0]][0]
        kind = "module" if len(modules) > len(parts) else f"{first.module_type} module"
        yield case.finding_about(
            f"{wording.count(len(modules), kind)} never ran",
            about=modules,
            label=wording.listing(list(parts)),
            location=first.location,
            measured=f"{wording.count(sum(len(owned[path]) for path in modules), 'parameter tensor')} that the loss "
            "does not reach",
        )


def _in_use(case: Case, weight: Weight) -> bool:
    """Whether anything was computed with a parameter; what the loss does not reach of that belongs to IP004."""
    return weight.traced or case.facts.signals.reached(weight.name) is True
