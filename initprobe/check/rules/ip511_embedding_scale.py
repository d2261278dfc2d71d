"""IP511: an embedding too large for the head that it is tied to, or too small beside what is added to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from initprobe.check.chains import PRODUCTS
from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.values import std_of, typical
from initprobe.records import Argument, Fixed, Held, Signal, Step

LOGITS = Threshold(
    "embedding_scale.logits",
    4.0,
    "factor",
    "softmax over logits of standard deviation s starts s²/2 nats above chance: 8 of them at 4, where log(50257) is "
    "10.8; a table of N(0, 1) and width 768 makes 28",
    "the RMS of logits that a tied embedding makes is above this: info",
)

DROWNED = Threshold(
    "embedding_scale.drowned",
    10.0,
    "factor",
    "one decade, beyond which what is added has a hundred times the variance; sinusoidal positions have an RMS of 0.71 "
    "beside tables of 0.02 (×35), and beside √width times a table of 1/√width (×1.2)",
    "a sum of looked-up tables and constants has an RMS larger than that of the largest table by more than this: info",
)

SUMS = frozenset(["add", "add_", "sub", "sub_"])

QUOTIENTS = frozenset(["div", "divide", "true_divide", "div_"])

MODEL = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 64)
            nn.init.normal_(self.embed.weight, std={std})
            self.block = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64))
            self.head = nn.Linear(64, 100, bias=False)
            {tie}

        def forward(self, tokens):
            return self.head(self.block(self.embed(tokens)))

    def build():
        return Net(), torch.randint(100, (16, 8))
    """
TIE = "self.head.weight = self.embed.weight"
POSITIONED = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.head = nn.Embedding(100, 64), nn.LayerNorm(64), nn.Linear(64, 100)
            nn.init.normal_(self.embed.weight, std={std})
            self.register_buffer("positions", torch.outer(torch.arange(8), 100 ** -torch.linspace(0, 1, 64)).sin())

        def forward(self, tokens):
            return self.head(self.norm(self.embed(tokens) + self.positions))

    def build():
        return Net(), torch.randint(100, (16, 8))
    """
HEARD = Example(POSITIONED.replace("{std}", "0.3"), language="python")
DROWNS = Example(POSITIONED.replace("{std}", "0.02"), language="python")
SMALL = Example(MODEL.replace("{tie}", TIE).replace("{std}", "0.02"), language="python")
UNTIED = Example(MODEL.replace("{tie}", "").replace("{std}", "1.0"), language="python")
TIED = Example(MODEL.replace("{tie}", TIE).replace("{std}", "1.0"), language="python")


@rule(
    "IP511",
    "embedding-scale",
    "parameters",
    "info",
    "high",
    good=(SMALL, UNTIED, HEARD),
    bad=(TIED, DROWNS),
    thresholds=(LOGITS, DROWNED),
)
def embedding_scale(case: Case) -> Iterator[Finding]:
    """An embedding is too large for the head that it is tied to, or too small beside what is added to it.

    What it does:
        Looks at weights that are looked up in one place and multiplied with in another. It fires where the RMS of what
        the product makes is above the limit and the standard deviation above 1/√width. A head that divides what goes
        into it, as T5 does, makes small ones. And it looks at sums of what is looked up with constants and parameters,
        such as positions, and fires where a sum is larger than the largest of the tables by more than the limit.

    Why is this bad:
        `nn.Embedding` draws N(0, 1), which is a fine embedding. As a head behind a norm it makes logits of √width: the
        loss starts far above chance, and the first thousand steps go into shrinking the table. Drawn as small as a head
        should be, it vanishes beside positions of size 1: all tokens look alike to what reads the sum.

    Not a problem when:
        The two are not tied, or the model scales the signal in front of the head, and the embedding before the sum.

    Options:
        thresholds.embedding_scale.logits (4): RMS of the logits. thresholds.embedding_scale.drowned (10): the sum over
        the table's part in it.

    References:
        fastai pull request 2090 (a tied embedding drawn by another layer's rule); Press & Wolf 2017, arXiv:1608.05859;
        Vaswani et al. 2017, arXiv:1706.03762, section 3.4: tied tables of std 1/√width, times √width as embeddings.
    """
    yield from _too_large(case)
    yield from _drowned(case)


def _too_large(case: Case) -> Iterator[Finding]:
    looked_up = {site.weight for site in case.sites("embedding")}
    for weight in case.facts.anatomy.weights:
        keys = [site.key for site in case.sites("weighted") if site.weight == weight.name]
        std = std_of(case, weight) if keys and weight.name in looked_up else None
        logits = None if std is None else typical(case.facts.signals.rms(keys[-1:], "forward")[:, 0])
        limit = case.facts.thresholds[LOGITS.key]
        if std is None or logits is None or logits <= limit:
            continue
        width = weight.shape[-1]
        if std * math.sqrt(width) <= 1.0:
            continue
        yield case.finding(
            f"{weight.name} is an embedding with a standard deviation of {wording.size(std)} and the head's weight: "
            f"logits have an RMS of {wording.size(logits)}",
            sites=keys[-1:],
            measured=f"RMS {wording.size(logits)}, {wording.count(case.seeds, 'seed')}; told beyond {limit:g}",
            expected=f"1/√{width} = {1.0 / math.sqrt(width):.2g} makes logits of the size of the head's input",
        )


def _drowned(case: Case) -> Iterator[Finding]:
    """Sums in which the tables that are looked up have next to no part."""
    weight_of = {site.key: site.weight for site in case.sites("embedding")}
    limit = case.facts.thresholds[DROWNED.key]
    told: set[str | None] = set()
    for addends in _sums(case.facts.anatomy.flow.steps):
        sizes = [_size(case, one) for one in addends]
        tables = {one.table: size for one, size in zip(addends, sizes, strict=True) if one.table and size is not None}
        whole = math.hypot(*(size for size in sizes if size is not None))
        if None in sizes or not tables:
            continue
        largest = max(tables, key=lambda key: tables[key])
        name = weight_of.get(largest)
        if whole <= limit * tables[largest] or name is None or name in told:
            continue
        told.add(name)
        yield case.finding(
            f"{name} has next to no part in the sum with what is added to it, which is "
            f"×{wording.gain(whole / tables[largest])} as large",
            sites=[largest],
            measured=f"RMS {wording.size(whole)} against {wording.size(tables[largest])}, "
            f"{wording.count(case.seeds, 'seed')}; told beyond ×{limit:g}",
        )


@dataclass(frozen=True, slots=True)
class _Addend:
    """What stands in a sum: what a site shows, a parameter, or a constant; and a factor behind that."""

    table: str = ""
    site: str = ""
    parameter: str = ""
    constant: float = 1.0
    factor: float = 1.0


def _size(case: Case, addend: _Addend) -> float | None:
    """The RMS of what it brings, None where it was not measured or is zero: a table that is meant to come in late."""
    size: float | None = addend.constant
    if addend.site:
        size = typical(case.facts.signals.rms([addend.site], "forward")[:, 0])
    elif addend.parameter:
        values = case.facts.signals.value(addend.parameter, "rms")
        size = 0.0 if case.facts.signals.is_zero(addend.parameter) else typical(values)
    return None if size is None else size * addend.factor


def _sums(steps: Sequence[Step]) -> Iterator[tuple[_Addend, ...]]:
    """Sums of nothing but tables that are looked up, constants and parameters."""
    known: dict[int, tuple[_Addend, ...]] = {}
    for step in steps:
        if step.effect == "embedding" and step.sites:
            known[step.index] = (_Addend(table=step.sites[0], site=step.sites[0]),)
        elif step.name in SUMS and not step.kwargs:
            parts = [_addends(argument, known) for argument in step.args]
            if all(parts):
                known[step.index] = tuple(one for part in parts for one in part)
                yield known[step.index]
        elif step.effect in {"view", "pass", "scale"} and len(step.sources) == 1:
            before, factor = known.get(step.sources[0], ()), _factor(step) if step.effect == "scale" else 1.0
            if len(before) == 1 and step.sites:
                known[step.index] = (replace(before[0], site=step.sites[0], factor=1.0),)
            elif before and factor is not None:
                known[step.index] = tuple(replace(one, factor=one.factor * factor) for one in before)


def _addends(argument: Argument, known: Mapping[int, tuple[_Addend, ...]]) -> tuple[_Addend, ...]:
    """What an argument of a sum brings, nothing where that is not known."""
    if isinstance(argument, Signal):
        return known.get(argument.step, ())
    if isinstance(argument, Held):
        return (_Addend(parameter=argument.parameter),) if argument.plain else ()
    return (_Addend(constant=size),) if (size := _number(argument)) is not None else ()


def _number(argument: Argument) -> float | None:
    """The RMS of a constant."""
    if isinstance(argument, Fixed):
        return math.sqrt(argument.second)
    return abs(float(argument)) if isinstance(argument, (int, float)) else None


def _factor(step: Step) -> float | None:
    """What a constant multiplies the signal with or divides it by; None where something else scales it."""
    sizes = [size for argument in step.args if (size := _number(argument)) is not None]
    if len(step.args) != 2 or len(sizes) != 1:
        return None
    if step.name in PRODUCTS:
        return sizes[0]
    divides = step.name in QUOTIENTS and isinstance(step.args[0], Signal) and sizes[0] > 0
    return 1.0 / sizes[0] if divides else None
