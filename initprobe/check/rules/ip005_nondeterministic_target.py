"""IP005: the same seed gives another network, another batch or another value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.records import REPEATED_FORWARD, Unsteady

CHECKED = (("statistics", (REPEATED_FORWARD,)),)

DROPOUT = Example(
    """
    import torch
    from torch import nn

    def build():
        return nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5), nn.Linear(16, 4)), torch.randn(32, 16)
    """,
    language="python",
    options=CHECKED,
)
OWN_GENERATOR = Example(
    """
    import numpy as np
    import torch
    from torch import nn

    def build():
        model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
        draws = np.random.default_rng()  # seeded by nobody
        with torch.no_grad():
            model[0].weight.copy_(torch.from_numpy(0.2 * draws.standard_normal((16, 16))))
        return model, torch.randn(32, 16)
    """,
    language="python",
    options=CHECKED,
)
NOISE = Example(
    """
    import time
    import torch
    from torch import nn

    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 4)

        def forward(self, x):
            generator = torch.Generator().manual_seed(time.time_ns())
            return self.last(self.first(x) + torch.randn(x.shape, generator=generator))

    def build():
        return Noisy(), torch.randn(32, 16)
    """,
    language="python",
    options=CHECKED,
)


@rule(
    "IP005",
    "nondeterministic-target",
    "coverage",
    "warning",
    "certain",
    good=(DROPOUT,),
    bad=(OWN_GENERATOR, NOISE),
    needs=(REPEATED_FORWARD,),
)
def nondeterministic_target(case: Case) -> Iterator[Finding]:
    """The same seed gives another result when it is asked for again.

    What it does:
        Builds the first draw a second time, from the same seed, and runs its forward pass: the weights, the batch and
        the RMS, mean and largest value of every site have to come out alike. It names what comes first: weights that
        came out otherwise, else the batch, else the first site. Only `check` repeats (or `run --statistics
        repeated_forward`), and not for specs whose layers are initprobe's own.

    Why is this bad:
        A verdict that differs from run to run is worth little in CI, two schemes cannot be compared on the same draws,
        and whatever fails cannot be reproduced.

    Not a problem when:
        The randomness is torch's, numpy's or Python's global one: the probe seeds these (dropout, masking). What
        differs by rounding alone, as sums on a GPU may, is not told.

    Options:
        check.ignore.

    References:
        The page "Reproducibility" of PyTorch's documentation.
    """
    found = next((each.trace.unsteady for each in case.facts.evidences if each.trace.unsteady is not None), ())
    if not found:
        return
    kind = found[0].kind
    alike = [each for each in found if each.kind == kind]
    if kind == "site":
        yield _at_sites(case, alike)
        return
    first = alike[0]
    noun = "weights" if kind == "parameter" else "inputs"
    weight = case.weight(first.name) if kind == "parameter" else None
    yield case.finding_about(
        f"the same seed gives other {noun}: {wording.listing([each.name for each in alike])}",
        about=[each.name for each in alike] if kind == "parameter" else [],
        label=wording.listing([each.name for each in alike]),
        location=None if weight is None else weight.location,
        measured=_twice(first),
    )


def _at_sites(case: Case, found: Sequence[Unsteady]) -> Finding:
    """Values that differ although weights and batch are the same."""
    known = {site.key for site in case.facts.anatomy.sites}
    names = [each.name for each in found if each.name in known]
    others = f"; so do {wording.count(len(found) - 1, 'site')} behind it" if len(found) > 1 else ""
    return case.finding(
        f"the value of {found[0].name} differs between two passes with the same seed, weights and batch",
        sites=names[:1],
        label=names[0] if names else found[0].name,
        measured=_twice(found[0]) + others,
    )


def _twice(each: Unsteady) -> str:
    first, second = ("no value" if math.isnan(rms) else f"RMS {rms:.7g}" for rms in (each.first, each.second))
    return f"{each.name}: {first} the first time, {second} the second"
