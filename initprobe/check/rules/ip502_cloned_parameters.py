"""IP502: layers that were copied after they were drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, rule, wording
from initprobe.check.values import is_drawn
from initprobe.records import MULTIPLYING_ROLES, Weight

COMPARED = MULTIPLYING_ROLES | {"embedding"}
"""Roles of weights that are drawn at random; scales, shifts and tables are alike by design."""


@dataclass(frozen=True, slots=True)
class Clones:
    """Weights with the very same values.

    Attributes:
        weights: all of them, the one that is accused first.
        about: names of those that the finding is about.
    """

    weights: tuple[Weight, ...]
    about: tuple[str, ...]


OWN_LAYERS = Example(
    """
    import torch
    from torch import nn

    def build():
        layers = [nn.TransformerEncoderLayer(16, 2, 32, batch_first=True) for _ in range(3)]
        return nn.Sequential(*layers), torch.randn(8, 5, 16)
    """,
    language="python",
)
IDENTITIES = Example(
    """
    import torch
    from torch import nn

    def build():
        layers = [nn.Linear(16, 16) for _ in range(4)]
        for layer in layers:
            nn.init.eye_(layer.weight)
        shared = nn.Linear(16, 16)
        return nn.Sequential(*layers, shared, nn.ReLU(), shared), torch.randn(8, 16)
    """,
    language="python",
)
DEEP_COPIES = Example(
    """
    import torch
    from torch import nn

    def build():
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        return nn.TransformerEncoder(layer, num_layers=4, enable_nested_tensor=False), torch.randn(8, 5, 16)
    """,
    language="python",
)


@rule(
    "IP502",
    "cloned-parameters",
    "parameters",
    "warning",
    "high",
    good=(OWN_LAYERS, IDENTITIES),
    bad=(DEEP_COPIES,),
    needs=("fingerprint", "distinct"),
)
def cloned_parameters(case: Case) -> Iterator[Finding]:
    """Different weights start with the very same random values: a layer was copied after it was drawn.

    What it does:
        Compares a fingerprint of the values of all trainable weights of one shape (a fixed projection, and mean and
        standard deviation) and fires where two that are not one parameter agree to the last digit in every seed. Copies
        of one layer are one finding.

    Why is this bad:
        Layers in parallel that start alike stay alike as long as they see the same gradient. Layers in a row are less
        independent than theory and schemes assume: their product is a power of one matrix, which has a wider spectrum
        than a product of independent ones. `nn.TransformerEncoder` copies its layer this way, which few know.

    Not a problem when:
        The layers are one parameter that is used twice (tied), or deterministic by design: identities, zeros, tables.
        A copy that is frozen, or that the loss does not reach, is a teacher or a target network.

    Options:
        check.layer_ignores.

    References:
        PyTorch issue 86274 (`nn.TransformerEncoder` deep-copies its layer); `copy.deepcopy` in `_get_clones`.
    """
    alike: defaultdict[tuple[object, ...], list[Weight]] = defaultdict(list)
    for weight in case.facts.anatomy.weights:
        key = _identity(case, weight)
        if key is not None:
            alike[key].append(weight)
    together: defaultdict[tuple[object, ...], list[Clones]] = defaultdict(list)
    for copies in alike.values():
        for clones in _counting(case, copies) if len(copies) > 1 else ():
            together[(*_copied(clones.weights), case.suppression(clones.about))].append(clones)
    for groups in together.values():
        yield _finding(case, groups)


def _counting(case: Case, copies: Sequence[Weight]) -> Iterator[Clones]:
    """One weight's copies: what ignores the rule is told by itself, and is no copy of the others."""
    for about in case.apart(weight.name for weight in copies):
        clones = [weight for weight in copies if weight.name in about]
        others = [weight for weight in copies if weight.name not in about]
        if case.suppression(about) is not None:
            yield Clones((*clones, *others), about)
        elif len(clones) > 1:
            yield Clones(tuple(clones), about)


def _identity(case: Case, weight: Weight) -> tuple[object, ...] | None:
    """What two clones agree in, None of what cannot be one."""
    signals = case.facts.signals
    if weight.role not in COMPARED or not weight.trainable or signals.reached(weight.name) is False:
        return None
    if not is_drawn(case, weight):
        return None
    numbers = [signals.value(weight.name, name) for name in ("fingerprint", "mean", "std")]
    if not all(np.isfinite(each).all() for each in numbers):
        return None
    return (weight.shape, *(value for each in numbers for value in each.tolist()))


def _copied(clones: Sequence[Weight]) -> tuple[object, ...]:
    """The same for all weights of the layers that were copied: the names up to where they part, and how they part."""
    names = [weight.name.split(".") for weight in clones]
    shared = 0
    while shared < min(map(len, names)) and len({parts[shared] for parts in names}) == 1:
        shared += 1
    return (*names[0][:shared], tuple(parts[min(shared, len(parts) - 1)] for parts in names))


def _finding(case: Case, groups: Sequence[Clones]) -> Finding:
    first = groups[0].weights
    more = f", and so {wording.count(len(groups) - 1, 'other weight')} of each" if len(groups) > 1 else ""
    return case.finding_about(
        f"{first[0].name} is bit-identical to {wording.listing([weight.name for weight in first[1:]], 2)}{more}: "
        "copied after it was drawn",
        about=[name for group in groups for name in group.about],
        label=wording.listing([weight.name for weight in first]),
        location=first[0].location,
        measured=f"same mean, standard deviation and projection in {wording.count(case.seeds, 'seed')}",
        parameters=[weight.name for group in groups for weight in group.weights],
    )
