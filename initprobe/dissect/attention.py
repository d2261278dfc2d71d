"""Attentions: where scores of queries and keys mix values, and which weights stand around that."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from initprobe.dissect.flow import between, stop_at
from initprobe.dissect.tape import Node
from initprobe.dissect.uses import Uses, multiplying
from initprobe.operations import DOT_PRODUCT_ATTENTION, MIXING, bind, short_name

_PROJECTIONS = frozenset(["linear", "conv", "depthwise", "transposed"])


@dataclass(frozen=True, slots=True)
class Mixing:
    """One attention on the tape.

    Attributes:
        query, key, value: what it takes.
        output: the mixed values.
        scores: everything from the product of query and key to the probabilities.
    """

    query: Node
    key: Node
    value: Node
    output: Node
    scores: tuple[Node, ...] = ()


@dataclass(slots=True)
class Projections:
    """The weights around attentions.

    Attributes:
        operands: for every node of a weight the operands of attentions that it made, with their names.
        outs: nodes of the weights right behind an attention.
    """

    operands: dict[Node, list[tuple[str, Node]]] = field(default_factory=dict)
    outs: set[Node] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Product:
    """The nearest product of two signals behind a value, and the last activation in between."""

    node: Node
    activation: Node | None = None


def find_attentions(nodes: list[Node], uses: Uses) -> list[Mixing]:
    """Every attention, whether torch's own function or written out as two products of signals.

    A product of two signals mixes values if one of its factors was made from another such product, through a softmax
    or another activation or none, and without a weight in between.
    """
    nearest: dict[Node, _Product] = {}
    found = []
    for node in nodes:
        if node.name == DOT_PRODUCT_ATTENTION:
            given = bind(("query", "key", "value"), node.args, node.kwargs)
            operands = [given.get(name) for name in ("query", "key", "value")]
            query, key, value = operands
            if isinstance(query, Node) and isinstance(key, Node) and isinstance(value, Node):
                found.append(Mixing(query, key, value, node))
            continue
        if _is_weight(node, uses):
            continue
        factors = _factors(node)
        if factors is None:
            _carry(node, nearest)
            continue
        mixing = _mixing(node, factors, nearest)
        if mixing is not None:
            found.append(mixing)
        nearest[node] = _Product(node)
    return found


def _carry(node: Node, nearest: dict[Node, _Product]) -> None:
    """Hand on to a value the latest of the products behind its sources."""
    behind = [nearest[source] for source in node.signals if source in nearest]
    if behind:
        latest = max(behind, key=lambda product: product.node.order)
        nearest[node] = _Product(latest.node, node if node.activation is not None else latest.activation)


def _mixing(node: Node, factors: tuple[Node, Node], nearest: Mapping[Node, _Product]) -> Mixing | None:
    left, right = factors
    sides = [(left, right), (right, left)]
    known = [(nearest[weights], weights, value) for weights, value in sides if weights in nearest]
    # Probabilities went through an activation; without one, scores (q kᵀ) v stand on the left, and kᵀ v on the right.
    product, weights, other = next(
        (one for one in known if one[0].activation is not None), known[0] if known else (None, left, right)
    )
    inner = None if product is None else _factors(product.node)
    if product is None or inner is None:
        return None
    if weights is right and product.activation is None:
        return Mixing(left, inner[0], inner[1], node)
    query, key = reversed(inner) if _over_queries(product.activation) else inner
    return Mixing(query, key, other, node, tuple(between(product.node, weights)))


def _over_queries(softmax: Node | None) -> bool:
    """Whether it normalizes over the second axis from the end: the scores were then made as key times query."""
    if softmax is None:
        return False
    dim = bind(("input", "dim"), softmax.args, softmax.kwargs).get("dim")
    return isinstance(dim, int) and dim in {-2, len(softmax.shape) - 2}


def _factors(node: Node) -> tuple[Node, Node] | None:
    """The two signals of a product that sums over an axis; None for everything else."""
    if short_name(node.name) not in MIXING:
        return None
    signals = node.signals[-2:]
    if len(signals) < 2:
        return None
    left, right = reversed(signals) if short_name(node.name) == "__rmatmul__" else signals
    return left, right


def find_projections(attentions: list[Mixing], joins: Collection[Node], uses: Uses) -> Projections:
    """The weights that make queries, keys and values, and those right behind."""
    found = Projections()

    def passes(node: Node) -> bool:
        return node not in joins and node.name != DOT_PRODUCT_ATTENTION and _factors(node) is None

    def passes_linear(node: Node) -> bool:
        return passes(node) and node.activation is None

    for attention in attentions:
        # Queries and keys may go through a feature map; a value behind an activation is a layer's output.
        for name, operand, way in (
            ("query", attention.query, passes),
            ("key", attention.key, passes),
            ("value", attention.value, passes_linear),
        ):
            for node in stop_at([operand], lambda node: _is_weight(node, uses), way):
                if any(use.role in _PROJECTIONS for use in uses[node]):
                    found.operands.setdefault(node, []).append((name, operand))
    for attention in attentions:
        found.outs.update(node for node in _behind(attention.output, joins, uses) if node not in found.operands)
    return found


def _behind(output: Node, joins: Collection[Node], uses: Uses) -> Iterator[Node]:
    """The weights that a mixed value meets first, before an activation, a join or another attention."""
    queue, seen = [output], {output}
    while queue:
        node = queue.pop()
        for consumer in node.consumers:
            if consumer in seen or consumer in joins or consumer.activation is not None:
                continue
            seen.add(consumer)
            if _is_weight(consumer, uses):
                if any(use.role in _PROJECTIONS for use in uses[consumer]):
                    yield consumer
            elif consumer.name != DOT_PRODUCT_ATTENTION and _factors(consumer) is None:
                queue.append(consumer)


def _is_weight(node: Node, uses: Uses) -> bool:
    return bool(multiplying(uses, node))
