"""Residual branches: what lies between a join and the point where its skip path parted."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from initprobe.dissect.flow import between, stop_at
from initprobe.dissect.joins import Join, sum_behind
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses, multiplying
from initprobe.operations import DOT_PRODUCT_ATTENTION, bind, short_name
from initprobe.records import Branch


@dataclass(frozen=True, slots=True)
class Way:
    """One residual branch on the tape.

    Attributes:
        join: where it ends.
        inner: its values in the order of the tape, from behind the parting point to the operand of the join, and the
            weights that feed it from elsewhere.
        tails: the nodes of its last weights.
        end: its value at the join.
        gate, norm: names of the parameters at its end.
    """

    join: Join
    inner: tuple[Node, ...]
    end: Node
    tails: tuple[Node, ...] = ()
    gate: str | None = None
    norm: str | None = None


@dataclass(slots=True)
class Branches:
    """All residual branches.

    Attributes:
        records: as the Anatomy has them.
        of: index of the innermost branch that each value lies in.
        tails: names of the weights that end a branch.
        gates: names of the parameters that scale a branch or its skip path.
    """

    records: tuple[Branch, ...] = ()
    of: dict[Node, int] = field(default_factory=dict)
    tails: frozenset[str] = frozenset()
    gates: frozenset[str] = frozenset()


def find_branches(
    joins: Mapping[Node, Join], uses: Uses, shown: Mapping[Node, str], ends: Sequence[tuple[str, Node]]
) -> Branches:
    """Every branch of every join.

    Args:
        joins: what ``find_joins`` found.
        uses: parameters by the node that uses them.
        shown: key of the site that shows a node's value.
        ends: path and output of every call of a module, in the order in which they ended.
    """
    ways = [way for join in joins.values() for way in _ways(join, joins, uses)]
    orders: dict[str, list[int]] = {}
    for path, output in ends:
        insort(orders.setdefault(path, []), output.order)
    within = _nesting(ways)
    records = tuple(
        replace(
            _record(way, uses, orders),
            index=place,
            join=shown.get(way.join.node),
            within=within[place],
            end=_shown_at(way.end, shown),
            beside=_shown_at(next(one for one in way.join.node.signals if one is not way.join.branch), shown),
        )
        for place, way in enumerate(ways)
    )
    of: dict[Node, int] = {}
    for place in sorted(range(len(ways)), key=lambda place: len(ways[place].inner)):
        for node in ways[place].inner:
            of.setdefault(node, place)
    skips = (node for way in ways for node in way.join.around[:-1])
    scaling = (found for node in skips if node.effect == "scale" for found in _parameters(node))
    return Branches(
        records,
        of,
        frozenset(name for record in records for name in record.tails),
        frozenset(scaling) | {record.gate for record in records if record.gate is not None},
    )


def _shown_at(node: Node, shown: Mapping[Node, str]) -> str | None:
    """The site that shows a value, or the nearest one behind it in front of dropout, pooling and the like."""
    while node not in shown:
        if node.effect not in {"view", "pass"} or node.signal is None:
            return None
        node = node.signal
    return shown[node]


def _ways(join: Join, joins: Mapping[Node, Join], uses: Uses) -> Iterator[Way]:
    """The branches of a join: one, or one for each of the functions whose sum is added."""
    gate = None
    if short_name(join.node.name).startswith("addcmul"):
        gate = next((source.operand.parameter for source in join.node.inputs if source.operand), None)
    for end in sorted(_terms(join, joins, uses), key=lambda node: node.order):
        inner = _with_sides(between(join.start, end)[1:], join.start, uses)
        yield _ended(Way(join, inner, end, gate=gate), uses)


def _with_sides(inner: list[Node], start: Node, uses: Uses) -> tuple[Node, ...]:
    """The values of a branch, and the weights that feed it from elsewhere: keys and values of an encoder's output."""
    known = set(inner)
    sides = [node for one in inner for node in one.signals if node not in known and node.order > start.order]
    found = stop_at(sides, lambda node: bool(_weights(uses, [node])), lambda node: node.order > start.order)
    return tuple(sorted(known.union(found), key=lambda node: node.order))


def _terms(join: Join, joins: Mapping[Node, Join], uses: Uses) -> list[Node]:
    """The values whose sum is added to the skip path: those that have no weight in common."""
    whole, terms = [join.branch], list[Node]()
    while whole:
        end = whole.pop()
        total = sum_behind(end)
        if total in joins:
            total = None
        sides = [] if total is None else [between(join.start, side)[1:] for side in total.signals]
        weights = [{node for node in side if _weights(uses, [node])} for side in sides]
        if total is not None and all(weights) and not weights[0] & weights[1]:
            whole.extend(reversed(total.signals))
        else:
            terms.append(end)
    return terms


def _ended(way: Way, uses: Uses) -> Way:
    """A branch with its last weights, and with the parameters behind them."""
    inner, queue, seen = set(way.inner), [way.end], {way.end}
    tails: list[Node] = []
    gate, norm = way.gate, way.norm
    while queue:
        node = queue.pop()
        if _weights(uses, [node]):
            tails.append(node)
            continue
        if node.effect == "scale" and gate is None:
            gate = next(iter(_parameters(node)), None)
        if node.effect == "norm" and norm is None:
            norm = next((use.parameter for use in uses.get(node, ()) if use.role == "norm"), None)
        fresh = [source for source in _carriers(node, inner, uses) if source not in seen]
        seen.update(fresh)
        queue.extend(fresh)
    return replace(way, tails=tuple(sorted(tails, key=lambda node: node.order)), gate=gate, norm=norm)


def _carriers(node: Node, inner: set[Node], uses: Uses) -> list[Node]:
    """Those of a value's sources that make it zero by being zero.

    Of a product that is the factor that comes from a weight without an activation in between; the other one is a
    gate, the probabilities of an attention or of a router: not zero when the weights behind it are.
    """
    sources = [source for source in node.signals if source in inner]
    if node.name == DOT_PRODUCT_ATTENTION:
        value = bind(("query", "key", "value"), node.args, node.kwargs).get("value")
        return [source for source in sources if source is value]
    if len(sources) < 2 or node.effect == "sum":
        return sources
    return [source for source in sources if _is_direct(source, inner, uses)] or sources


def _is_direct(node: Node, inner: set[Node], uses: Uses) -> bool:
    """Whether a value comes from a weight on some way without an activation."""
    queue, seen = [node], {node}
    while queue:
        one = queue.pop()
        if _weights(uses, [one]):
            return True
        if one.activation is None:
            fresh = [source for source in one.signals if source in inner and source not in seen]
            seen.update(fresh)
            queue.extend(fresh)
    return False


def _record(way: Way, uses: Uses, ends: Mapping[str, list[int]]) -> Branch:
    weights = _weights(uses, way.inner)
    last = next((node for node in reversed(way.inner) if multiplying(uses, node)), way.join.node)
    shortcut = _weights(uses, reversed(way.join.around[:-1])) if way.join.kind == "projection" else ()
    return Branch(
        index=0,
        block=_block([name.rpartition(".")[0] for name in weights], last, way.join.node, ends),
        join=None,
        weights=weights,
        tails=tuple(dict.fromkeys(use.parameter for node in way.tails for use in multiplying(uses, node) if use.last)),
        skip=way.join.kind,
        shortcut=shortcut,
        gate=way.gate,
        norm=way.norm,
    )


def _block(modules: list[str], last: Node, join: Node, ends: Mapping[str, list[int]]) -> str:
    """The innermost module around some modules whose call had not ended between the last weight and the join."""
    levels = zip(*(path.split(".") for path in modules), strict=False)
    common = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, levels)]
    while common:
        orders = ends.get(".".join(common), [])
        ended = bisect_left(orders, last.order)
        if ended == len(orders) or orders[ended] >= join.order:
            break
        common.pop()
    return ".".join(common)


def _nesting(ways: list[Way]) -> list[int | None]:
    """For every branch the smallest one that its join lies in."""
    holders: dict[Node, int] = {}
    for place in sorted(range(len(ways)), key=lambda place: len(ways[place].inner)):
        for node in ways[place].inner:
            holders.setdefault(node, place)
    return [holders.get(way.join.node) for way in ways]


def _weights(uses: Uses, nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the weights that some nodes multiply with, each once."""
    return tuple(dict.fromkeys(use.parameter for node in nodes for use in multiplying(uses, node)))


def _parameters(node: Node) -> list[str]:
    return [source.operand.parameter for source in node.inputs if source.operand is not None]
