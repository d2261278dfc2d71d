"""IP003: code that no hook saw."""

from __future__ import annotations

from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, rule, wording

SEEN = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(8, 8) / 8**0.5)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(torch.relu(x @ self.weight))

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)
MAPPED = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(8, 8)
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            return self.head(torch.relu(torch.func.vmap(self.body)(x)))

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)
UNOWNED = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(8, 8), nn.Linear(8, 8)]
            self.head = nn.Linear(8, 2)

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).relu()
            return self.head(x)

    def build():
        return Net(), torch.randn(16, 8)
    """,
    language="python",
)


@rule("IP003", "unobserved-computation", "coverage", "info", "high", good=(SEEN,), bad=(MAPPED, UNOWNED))
def unobserved_computation(case: Case) -> Iterator[Finding]:
    """A part of the network computes where no hook sees it, so its signals are not measured.

    What it does:
        Names parameters that the loss depends on although no operation was seen to use them (a compiled kernel), custom
        autograd functions whose output no operation was seen to make, and modules that take no hooks: a ScriptModule,
        one that the forward builds anew, the inside of a ``torch.func`` transform, layers in a plain Python list. Calls
        that do something else in another pass are named too: their operations have other values then.

    Why is this bad:
        What is not seen is not judged, and a scheme does not know who such a weight is.

    Not a problem when:
        The part is known to be sound. The signals in front of it and behind it are judged all the same.

    Options:
        check.layer_ignores; --strict makes it an error.

    References:
        pytorch#125346 (ScriptModules take no hooks).
    """
    unused = [
        weight.name
        for weight in case.facts.anatomy.weights
        if not weight.traced and case.facts.signals.reached(weight.name)
    ]
    for names in case.families(unused):
        first = case.weight(names[0])
        yield case.finding_about(
            f"no operation was seen to use {wording.count(len(names), 'parameter')} that the loss depends on",
            about=names,
            label=wording.listing(names),
            location=None if first is None else first.location,
        )
    hidden: dict[str, list[str]] = {}
    for gap in case.facts.evidences[0].trace.unseen:
        if gap.hidden:
            hidden.setdefault(gap.reason, []).append(gap.path)
    for reason, gaps in hidden.items():
        for paths in case.apart(gaps):
            place = next((site.location for site in case.facts.anatomy.sites if site.path == paths[0]), None)
            yield case.finding_about(f"not seen: {reason}", about=paths, label=wording.listing(paths), location=place)
