"""Which of the operations inside of modules become sites, and which belong to the module that puts them out."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from initprobe.dissect.tape import Node
from initprobe.hooks import Visit
from initprobe.operations import ATTENTIONS


@dataclass(frozen=True, slots=True)
class Seen:
    """One visit of the traced pass.

    Attributes:
        visit: what the hooks said.
        node: the value on the tape.
        handmade: whether the module turned out to be an activation or a norm that is computed by hand.
        line: file and line of an operation.
    """

    visit: Visit
    node: Node
    handmade: bool = False
    line: tuple[str, int] | None = None


def chosen(seen: list[Seen], joins: Mapping[Node, Node], operands: Container[Node]) -> list[Seen]:
    """The visits that become sites.

    An operation is one where it makes a signal of its own: a weight's product, an activation, a norm, attention, the
    sum or product of two signals, a branch or a skip path at the join (``operands``). Not where the module around it
    puts out that very tensor, for then the module is its name, nor where it is one step of an activation or a norm that
    a module computes by hand.
    """
    handmade = {_stem(one.visit.key) for one in seen if one.handmade}
    made = {one.node: one.visit for one in seen if one.visit.operation is not None}
    own = {made[one.node.back("view")].key for one in seen if one.visit.operation is None and _is_own(one, made)}
    kept: list[Seen] = []
    left_out: dict[str, str | None] = {}
    for one in seen:
        visit = one.visit
        if visit.operation is not None and (
            visit.key in own or visit.call in handmade or not (one.node in operands or _makes_a_signal(one.node, joins))
        ):
            left_out[visit.key] = None
            continue
        alias = visit.alias_of
        if alias in left_out:  # the first one that shows a value is the one that it is named after
            first = left_out[alias]
            left_out[alias] = first or visit.key
            visit = visit._replace(alias_of=first)
        kept.append(Seen(visit, one.node, one.handmade, one.line))
    return kept


def _stem(key: str) -> str:
    """The call that a module's output belongs to: ``block#2`` of ``block#2[0]``."""
    return key.partition("[")[0]


def _is_own(output: Seen, made: Mapping[Node, Visit]) -> bool:
    """Whether a module puts out, perhaps in another shape, what an operation of that very call has made."""
    maker = made.get(output.node.back("view"))
    return maker is not None and maker.call == _stem(output.visit.key)


def _makes_a_signal(node: Node, joins: Mapping[Node, Node]) -> bool:
    if node.fixed or node.operand is not None:
        return False  # a constant, or a weight on its way into its product
    if node in joins or node.name in ATTENTIONS or node.effect in {"weighted", "embedding", "activation", "norm"}:
        return True
    return len(set(node.signals)) > 1
