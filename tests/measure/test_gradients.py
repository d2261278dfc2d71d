"""Where a backward pass has to go, and what the loss reaches."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd.graph import get_gradient_edge

from initprobe.measure.gradients import first_edges, reach_of


def edges_of(**tensors):
    return {name: get_gradient_edge(tensor) for name, tensor in tensors.items()}


def names_of(chosen, edges):
    return sorted(name for name, edge in edges.items() if any(edge.node is one.node for one in chosen))


def test_of_a_chain_the_first_site_is_enough():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    a = first(torch.randn(2, 3))
    b = second(a.relu())
    edges = edges_of(a=a, b=b)
    assert names_of(first_edges(reach_of([b]), edges), edges) == ["a"]


def test_every_path_has_a_first_site_of_its_own():
    tokens, positions, mix = nn.Embedding(5, 3), nn.Embedding(4, 3), nn.Linear(3, 3)
    a, b = tokens(torch.tensor([1, 2])), positions(torch.tensor([0, 1]))
    c = mix(a + b)
    edges = edges_of(a=a, b=b, c=c)
    assert names_of(first_edges(reach_of([c]), edges), edges) == ["a", "b"]


def test_a_site_that_the_outputs_do_not_need_is_no_target():
    layer, other = nn.Linear(3, 3), nn.Linear(3, 3)
    a = layer(torch.randn(2, 3))
    aside = other(a)
    edges = edges_of(a=a, aside=aside)
    reach = reach_of([a.sum()])
    assert names_of(first_edges(reach, edges), edges) == ["a"]
    assert set(reach.leaves) == {id(layer.weight), id(layer.bias)}


def test_hooks_of_every_site_fire_on_the_way_to_the_first_ones():
    torch.manual_seed(0)
    layers = [nn.Linear(3, 3) for _ in range(5)]
    x, seen, edges = torch.randn(2, 3), [], {}
    for index, layer in enumerate(layers):
        x = layer(x) + (x if index else 0)
        edges[str(index)] = get_gradient_edge(x)
        x.register_hook(lambda gradient, index=index: seen.append(index))
    torch.autograd.grad(x, first_edges(reach_of([x]), edges), torch.ones_like(x))
    assert sorted(set(seen)) == [0, 1, 2, 3, 4]
    assert all(parameter.grad is None for layer in layers for parameter in layer.parameters())


def test_an_output_that_is_a_leaf_is_reached_itself():
    parameter = nn.Parameter(torch.ones(2))
    assert set(reach_of([parameter]).leaves) == {id(parameter)}
    assert not reach_of([]).leaves


def test_in_place_operations_keep_the_node_of_each_version():
    layer = nn.Linear(3, 3)
    a = layer(torch.randn(2, 3))
    before = get_gradient_edge(a)
    a.relu_()
    behind = get_gradient_edge(a)
    reach = reach_of([a.sum()])
    assert before.node in reach.nodes
    assert first_edges(reach, {"behind": behind, "before": before}) == [before]


@pytest.mark.parametrize("depth", [1, 20_000])
def test_depth_is_no_recursion(depth):
    weight = nn.Parameter(torch.ones(()))
    x = weight * 1
    first = get_gradient_edge(x)
    for _ in range(depth):
        x = x * 1
    reach = reach_of([x])
    assert len(reach.nodes) == depth + 2
    assert first_edges(reach, {"last": get_gradient_edge(x), "first": first}) == [first]
    order = {node: place for place, node in enumerate(reach.nodes)}
    assert all(order[child] < place for node, place in order.items() for child, _ in node.next_functions if child)
