"""The tables of ``--anatomy``: who every weight is, and the residual branches."""

from __future__ import annotations

from collections.abc import Sequence

from initprobe.records import ActivationUse, Branch, Entry, Estimate, Weight
from initprobe.report.layers import WeightRow, fold, site_label, weight_rows
from initprobe.report.numbers import number, ranges
from initprobe.report.options import RenderOptions
from initprobe.report.tables import NOTHING, Cell, Column, Grid
from initprobe.report.visible import visible

_SHORT = {"query": "q", "key": "k", "value": "v"}
_HEADS = ("n", "role", "shape", "fans", "activation", "depth", "branch")
_LEGEND = "fans: in→out, of one part where several are packed; activation: before → behind; tail: ends its branch"
_NARROW = 1.1
"""Standard deviations within that factor are told as one number."""


def weight_table(entry: Entry, options: RenderOptions) -> Grid:
    """One row per group of parameters: who and where they are, the standard deviation that was declared, and theirs."""
    rows = weight_rows(entry, options.layers)
    columns = [(Column("parameters"), [row.label for row in rows])]
    columns += [
        (Column(head, right=head == "n"), [texts[head] for texts in map(_weight_texts, rows)]) for head in _HEADS
    ]
    declared = [summary.weight.name for summary in entry.weights if summary.declared_std is not None]
    if declared:
        texts = [NOTHING if one is None else number(one) for one in (row.weights[0].declared_std for row in rows)]
        columns.append((Column("declared", "std", right=True), texts))
    measured = [_spread([summary.value.get("std") for summary in row.weights]) for row in rows]
    columns.append((Column("measured", "std") if declared else Column("std"), measured))
    cells = zip(*([(text, "plain") for text in texts] for _, texts in columns), strict=True)
    return Grid(tuple(column for column, _ in columns), tuple(cells), _LEGEND if rows else "")


def branch_table(entry: Entry, options: RenderOptions) -> Grid:
    """One row per group of residual branches: where it is, how long, what ends it, and what the skip path does."""
    columns = (
        Column("branch"),
        Column("block"),
        Column("n", right=True),
        Column("weights", right=True),
        Column("ends in"),
        Column("skip"),
        Column("gate"),
        Column("within"),
    )
    blocks = [branch.block for branch in entry.branches]
    structures = [_branch_texts(branch) for branch in entry.branches]
    if options.layers == "all":
        folded = [(site_label(block), [place]) for place, block in enumerate(blocks)]
    else:
        folded = [
            (found.label, [group[place] for place in found.members])
            for group in _alike(structures)
            for found in fold([blocks[place] for place in group], [None] * len(group))
        ]
        folded.sort(key=lambda one: one[1][0])
    rows = []
    for label, places in folded:
        texts = (ranges(places), label, str(len(places)), *structures[places[0]], _within(entry.branches, places))
        rows.append(tuple[Cell, ...]((text, "plain") for text in texts))
    return Grid(columns, tuple(rows))


def _alike(structures: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Places of equal structures."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, structure in enumerate(structures):
        groups.setdefault(structure, []).append(place)
    return list(groups.values())


def _branch_texts(branch: Branch) -> tuple[str, ...]:
    prefix = f"{branch.block}." if branch.block else ""
    tails = [name.removeprefix(prefix) for name in branch.tails]
    skip = branch.skip if not branch.shortcut else f"{branch.skip} {_names(branch.shortcut, prefix)}"
    gate = NOTHING if branch.gate is None else visible(branch.gate.removeprefix(prefix))
    more = f" +{len(tails) - 2}" if len(tails) > 2 else ""
    return str(len(branch.weights)), _names(tails[:2]) + more or NOTHING, skip, gate


def _names(names: Sequence[str], prefix: str = "") -> str:
    return ", ".join(visible(name.removeprefix(prefix)) for name in names)


def _within(branches: Sequence[Branch], places: Sequence[int]) -> str:
    holders = [branches[place].within for place in places]
    known = [holder for holder in holders if holder is not None]
    return ranges(known) if known else NOTHING


def _weight_texts(row: WeightRow) -> dict[str, str]:
    weights = [summary.weight for summary in row.weights]
    first = weights[0]
    return {
        "n": str(len(weights)),
        "role": role_text(first),
        "shape": "×".join(map(str, first.shape)) or "1",
        "fans": NOTHING if first.fan_in is None or first.fan_out is None else f"{first.fan_in:g}→{first.fan_out:g}",
        "activation": _around(first),
        "depth": _span([weight.depth for weight in weights]),
        "branch": _span([weight.branch for weight in weights]),
    }


def role_text(weight: Weight) -> str:
    """``linear q+k+v``, ``linear out tail``, ``recurrent hidden 4 gates``: a weight's role and what else it is."""
    parts = [part.name for part in weight.parts]
    if weight.attention is not None:
        packed = "+".join(_SHORT.get(name, name) for name in weight.attention.split("_"))
        named = packed if "+" in packed else weight.attention
    elif weight.recurrent is not None:
        named = weight.recurrent + (f" {len(parts)} gates" if parts else "")
    else:
        named = "+".join(parts) if parts else weight.gated or ""
    marks = ["tail"] * weight.tail + ["head"] * weight.head + ["tied"] * bool(weight.aliases)
    return visible(" ".join(filter(None, [weight.role, named, *marks])))


def _around(weight: Weight) -> str:
    uses = weight.input_activation, weight.output_activation
    return " → ".join(map(_short, uses)).strip() if any(uses) else NOTHING


def _short(use: ActivationUse | None) -> str:
    """``gelu(tanh)``: an activation with the values of its options."""
    if use is None:
        return ""
    values = ", ".join(f"{value:g}" if isinstance(value, float) else value for _, value in use.options)
    return visible(f"{use.name}({values})" if values else use.name)


def _span(values: Sequence[int | None]) -> str:
    """The first and the last."""
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    return str(min(known)) if min(known) == max(known) else f"{min(known)}–{max(known)}"


def _spread(statistics: Sequence[object]) -> str:
    known = [statistic.mean for statistic in statistics if isinstance(statistic, Estimate)]
    if not known:
        return NOTHING
    low, high = min(known), max(known)
    if low <= high <= _NARROW * low:
        return number(sum(known) / len(known))
    return number(low) if number(low) == number(high) else f"{number(low)}–{number(high)}"
