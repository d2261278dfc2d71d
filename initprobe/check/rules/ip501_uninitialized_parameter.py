"""IP501: memory that nobody wrote to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.signals import Array
from initprobe.check.values import FEW

SMALLEST = 2.0**-126
"""The smallest normal float32: below it lie integers and pointers that are read as numbers, and no init."""

MAGNITUDE = Threshold(
    "uninitialized.magnitude",
    1e8,
    "factor",
    "memory that `torch.empty` hands out holds 1e30 and the like (fla-org/flame issue 9); no init in use draws beyond "
    "N(0, 30²)",
    "the RMS of a parameter's values is above this: error",
)

ZEROS = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
        nn.init.zeros_(model[3].weight)
        return model, torch.randn(32, 8)
    """,
    language="python",
)
MASK = Example(
    """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(8, 8)
            self.register_buffer("mask", torch.full((8, 8), torch.finfo(torch.float32).min).triu(1))
            self.register_buffer("hard", torch.full((8, 8), -torch.inf).triu(1))

        def forward(self, x):
            return (self.score(x) + self.mask[0] + self.hard[-1]).softmax(-1)

    def build():
        return Net(), torch.randn(32, 8)
    """,
    language="python",
)
GARBAGE = Example(
    """
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        with torch.no_grad():  # what a layer moved by to_empty() and never reset may hold
            model[2].weight.copy_(torch.randn(4, 16) * 1e30)
        return model, torch.randn(32, 8)
    """,
    language="python",
)
ERASED_BUFFER = Example(
    """
    import torch
    from torch import nn

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 8)
            self.register_buffer("scale", torch.tensor([3e-44, 1e-42]), persistent=False)

        def forward(self, x):
            return self.linear(x) * (1 + self.scale[0])

    def build():
        return Scaled(), torch.randn(32, 8)
    """,
    language="python",
)


@rule(
    "IP501",
    "uninitialized-parameter",
    "parameters",
    "error",
    "high",
    good=(ZEROS, MASK),
    bad=(GARBAGE, ERASED_BUFFER),
    thresholds=(MAGNITUDE,),
    needs=("distinct", "nan_count"),
)
def uninitialized_parameter(case: Case) -> Iterator[Finding]:
    """A parameter or a buffer holds what was left in memory: nobody initialized it.

    What it does:
        Looks at the values of every parameter and of every float buffer before the pass. It fires where one holds NaN,
        where a parameter is infinite somewhere, where values are larger than any initialization draws them, and where
        all of them are denormal (below 1.2e-38), as integers are that are read as floats.

    Why is this bad:
        `to_empty()`, `torch.empty` and a model made on the meta device hand out memory as it lies there. Whoever
        forgets to reset one layer gets a network that is different on each machine, and often NaN after a step.

    Not a problem when:
        A buffer is a mask: infinities and float's largest number are its meaning, and it is left alone. So are zeros,
        which may be meant; a weight that zeros kill belongs to zero-init-dead-end (IP508).

    Options:
        thresholds.uninitialized.magnitude (1e8): the largest RMS of a parameter.

    References:
        fla-org/flame issue 9; VeOmni issue 163; OLMo-core pull request 698 (a buffer erased by `to_empty`); PyTorch,
        `torch.nn.Module.to_empty`.
    """
    limit = case.facts.thresholds[MAGNITUDE.key]
    found: dict[str, str] = {}
    for weight in case.facts.anatomy.weights:
        fault = _fault(_of_parameter(case, weight.name), limit, mask=False)
        if fault:
            found[weight.name] = fault
    for name in dict.fromkeys(name for one in case.facts.evidences for name in one.trace.buffers):
        fault = _fault(_of_buffer(case, name), limit, mask=True)
        if fault:
            found[name] = fault
    for names in case.families(list(found)):
        weight_of = case.weight(names[0])
        yield case.finding_about(
            f"{wording.listing(names)} {'was' if len(names) == 1 else 'were'} never initialized: {found[names[0]]}",
            about=names,
            label=wording.listing(names),
            location=case.location(names[0]) if weight_of is None else weight_of.location,
            measured=f"{wording.count(case.seeds, 'seed')}; told if NaN, beyond {limit:g}, or all below {SMALLEST:.2g}",
            parameters=names,
        )


def _of_parameter(case: Case, name: str) -> dict[str, Array]:
    return {key: case.facts.signals.value(name, key) for key in ("rms", "nonfinite", "nan_count", "distinct")}


def _of_buffer(case: Case, name: str) -> dict[str, Array]:
    rows = [one.trace.buffers.get(name, {}) for one in case.facts.evidences]
    return {key: _column([row.get(key) for row in rows]) for key in ("rms", "nonfinite", "nan_count", "distinct")}


def _column(values: Sequence[object]) -> Array:
    return np.array([value if isinstance(value, (int, float)) else np.nan for value in values], dtype=np.float64)


def _fault(values: dict[str, Array], limit: float, *, mask: bool) -> str:
    """What is wrong with the values, empty where nothing is."""
    rms = values["rms"]
    largest = float(np.nanmax(rms)) if np.isfinite(rms).any() else 0.0
    if (values["nan_count"] > 0).any():
        return f"{_most(values['nan_count'])} of its values are NaN"
    if not mask and (values["nonfinite"] > 0).any():
        return f"{_most(values['nonfinite'])} of its values are not finite"
    # A mask knows two numbers, a garbled one as many as it has elements.
    if largest > limit and not (mask and (values["distinct"] <= FEW).all()):
        return f"its values have an RMS of {wording.size(largest)}"
    if 0.0 < largest < SMALLEST:
        return f"all of its values are denormal (RMS {wording.size(largest)})"
    return ""


def _most(counts: Array) -> str:
    return f"{int(np.nanmax(counts)):,}"
