"""Reads the autograd graph: what the loss reaches, and where a backward pass has to go to pass every site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch.autograd.graph import GradientEdge, Node


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies between the outputs and the leaves.

    Attributes:
        nodes: every node the outputs depend on, inputs before what is made of them.
        leaves: the leaf tensors (parameters, inputs) that a gradient would reach, by their ids.
    """

    nodes: tuple[Node, ...]
    leaves: Mapping[int, torch.Tensor]


def reach_of(outputs: Iterable[torch.Tensor]) -> Reach:
    """Walk the graph of ``outputs`` once, without recursion: a thousand layers are a thousand nodes deep."""
    order: list[Node] = []
    leaves: dict[int, torch.Tensor] = {}
    seen: set[Node] = set()
    for output in outputs:
        root = output.grad_fn
        if root is None:
            leaves[id(output)] = output
            continue
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
                continue
            if node in seen:
                continue
            seen.add(node)
            stack.append((node, True))
            children = node.next_functions
            if not children:
                variable = getattr(node, "variable", None)
                if variable is not None:
                    leaves[id(variable)] = variable
            stack.extend((child, False) for child, _ in children if child is not None)
    return Reach(tuple(order), leaves)


def unseen_functions(reach: Reach, edges: Mapping[str, GradientEdge]) -> list[str]:
    """Names of the custom autograd functions on the way whose outputs are no site: nobody sees what they compute."""
    seen = {edge.node for edge in edges.values()}
    custom: type[object] = torch.autograd.function.BackwardCFunction
    found = (node for node in reach.nodes if isinstance(node, custom))
    return list(dict.fromkeys(type(node).__name__.removesuffix("Backward") for node in found if node not in seen))


def first_edges(reach: Reach, edges: Mapping[str, GradientEdge]) -> list[GradientEdge]:
    """The fewest of ``edges`` such that a backward pass towards them goes through all the others.

    These are the first sites of every path: the output of the first layer, of every embedding, of every branch that
    starts at a parameter. Going no further computes no gradient of weights or of the model's input.
    """
    sites: dict[Node, GradientEdge] = {}
    for edge in edges.values():
        sites.setdefault(edge.node, edge)
    covered: dict[Node, bool] = {}
    chosen: list[GradientEdge] = []
    for node in reach.nodes:
        below = any(covered.get(child, False) for child, _ in node.next_functions if child is not None)
        site = sites.get(node)
        if site is not None and not below:
            chosen.append(site)
        covered[node] = below or site is not None
    return chosen
