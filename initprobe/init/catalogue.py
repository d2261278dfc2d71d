"""Every scheme on one page, from its own card, and the selection guide as a table: ``docs/schemes.md``.

``python -m initprobe.init.catalogue`` prints it. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from initprobe.activations import guide, moments
from initprobe.activations.advice import ARCHITECTURES
from initprobe.activations.base import ACTIVATIONS
from initprobe.cards import OptionCard
from initprobe.init.schemes.base import FAMILIES, SCHEMES, Family, SchemeCard
from initprobe.records import ActivationUse

HEAD = """# Schemes

Every initialization that `initprobe` draws, as each says it of itself. This page is made by
`python -m initprobe.init.catalogue`; `initprobe explain NAME` shows one of them, `initprobe ls schemes` lists them.

Unless a scheme says otherwise, biases become zero, normalizations and gates stay as they are, embeddings are N(0, 1),
and matrices that are packed into one parameter (gates, or query, key and value) are drawn one by one. Fans are those of
the operation: of a grouped convolution, of one gate, of a strided transposed convolution.
"""

GUIDE = """## Which one?

By the activation between the layers (rows) and the architecture. Numbers are integrated, not tabled;
`initprobe explain gelu` says why, and what will go wrong all the same.
"""


ELSEWHERE = """## Without a scheme of their own

- **Warm restarts** that draw the last layers anew: `initprobe.initialize(model, "kaiming_normal", only="head.*")`; all
  else stays. Cosine restarts of the learning rate (Loshchilov & Hutter 2017, arXiv 1608.03983) touch no weight.
- **Fading in new blocks** (Karras et al. 2018, arXiv 1710.10196): the blend of old and new output is part of the model
  and starts at zero there. Where new blocks are residual branches, zero tails start at the same function:
  `initprobe.initialize(model, "zeros", only="block.7.conv2.weight")`; `net2net` does so for blocks that its source has
  not.
- **Lottery tickets** (Frankle & Carbin 2019, arXiv 1803.03635) need a training run and a mask; a seed draws the same
  weights again.
"""


def render_catalogue() -> str:
    """The page, as Markdown."""
    cards = [SCHEMES[name].card for name in SCHEMES]
    return "\n".join([HEAD, *_contents(cards), GUIDE, *_guide(), *_families(cards), ELSEWHERE]).rstrip("\n") + "\n"


def by_family(cards: Iterable[SchemeCard]) -> Iterator[tuple[Family, list[SchemeCard]]]:
    """The families in their order, each with its schemes; families that have none are left out."""
    listed = list(cards)
    for family in FAMILIES:
        found = [card for card in listed if card.family == family]
        if found:
            yield family, found


def _contents(cards: Sequence[SchemeCard]) -> Iterator[str]:
    for family, found in by_family(cards):
        links = ", ".join(f"[{card.name}](#{card.name})" for card in found)
        yield f"- **{family.capitalize()}** ({FAMILIES[family]}): {links}"
    yield ""


def _guide() -> Iterator[str]:
    """Architectures in which the activation decides as one table, the others as another."""
    tables = {name: guide.table(name) for name in ARCHITECTURES}
    same = {name for name, found in tables.items() if len({one.scheme for one in found.values()}) == 1}
    varied = [name for name in tables if name not in same]
    rows = [
        [activation, _gain(activation), *(f"`{tables[name][activation].scheme}`" for name in varied)]
        for activation in ("none", *ACTIVATIONS)
    ]
    yield from _table(["activation", "1 / √(E f²)", *varied], rows)
    yield ""
    yield from (f"- `{name}`: {ARCHITECTURES[name]}" for name in varied)
    yield ""
    yield from _table(
        ["architecture", "scheme", "alternatives", "why"],
        [
            [
                ARCHITECTURES[name],
                f"`{one.scheme}`",
                ", ".join(f"`{text}`" for text in one.alternatives),
                "; ".join([one.reason, *one.warnings]),
            ]
            for name, one in ((name, tables[name]["none"]) for name in tables if name in same)
        ],
    )
    yield ""


def _gain(activation: str) -> str:
    """The gain that keeps a second moment of 1, empty where there is none."""
    if activation == "none":
        return "1"
    try:
        return f"{moments.forward_gain(ActivationUse(activation)):.5g}"
    except moments.NotElementwiseError:
        return ""


def _families(cards: Sequence[SchemeCard]) -> Iterator[str]:
    for family, found in by_family(cards):
        yield from (f"## {family.capitalize()}: {FAMILIES[family]}", "")
        for card in found:
            yield from _scheme(card)


def _scheme(card: SchemeCard) -> Iterator[str]:
    yield from (f"### {card.name}", "", f"{_sentence(card.summary)}", "")
    if card.aliases:
        yield from (f"Also called {', '.join(f'`{alias}`' for alias in card.aliases)}.", "")
    yield f"- **Formula:** {_escaped(card.formula)}"
    yield f"- **Assumes:** {_escaped(card.assumes)}"
    yield f"- **When:** {_escaped(card.when)}"
    yield f"- **Reference:** {_escaped(card.reference)}"
    yield ""
    if card.options:
        yield from _table(["option", "accepts", "default", ""], [_option(option) for option in card.options])
        yield ""


def _option(option: OptionCard) -> list[str]:
    return [f"`{option.name}`", option.accepts, f"`{option.default}`", option.description]


def _sentence(text: str) -> str:
    text = _escaped(text)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_escaped(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _escaped(text: str) -> str:
    """Stars and brackets of formulas are no markup; what stands in backticks is left as it is.

    Underscores inside of words are none in Markdown.
    """
    pieces = text.split("`")
    for place in range(0, len(pieces), 2):
        for mark in "*<[":
            pieces[place] = pieces[place].replace(mark, f"\\{mark}")
    return "`".join(pieces)


if __name__ == "__main__":
    import sys

    sys.stdout.write(render_catalogue())
