"""How schemes for transformers count branches, layers and units."""

import pytest
import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.network import Network
from initprobe.init.stacks import ends_branch, layers_of, stack_of, stream_width
from initprobe.load.given import open_given
from initprobe.records import ProbeRequest


def network_of(model, inputs):
    target, _ = open_given(model, inputs)
    return Network(model, trace_anatomy(target.build(0, ProbeRequest())).anatomy)


def weight(network, name):
    return next(one for one in network.anatomy.weights if one.name == name)


def of(function, network):
    """What a function says of every matrix."""
    return {one.name: function(network, one) for one in network.anatomy.weights if len(one.shape) > 1}


@pytest.fixture(scope="module")
def both():
    """An encoder of two layers and a decoder of three."""
    model = nn.Transformer(32, 4, 2, 3, 64, batch_first=True)
    return network_of(model, (torch.randn(2, 5, 32), torch.randn(2, 4, 32)))


def test_an_encoder_and_a_decoder_are_two_stacks(both):
    sizes = {name: len(stack) for name, stack in of(stack_of, both).items()}
    assert {sizes[name] for name in sizes if name.startswith("encoder")} == {4}
    assert {sizes[name] for name in sizes if name.startswith("decoder")} == {9}


def test_a_layer_holds_its_attentions_and_a_feed_forward_branch(both):
    for name, (layer, count) in of(layers_of, both).items():
        stack, _, place, *_ = name.split(".")
        assert (layer, count) == (int(place) + 1, 2 if stack == "encoder" else 3), name


def test_what_is_added_to_the_stream(both):
    ends = {name.rpartition(".")[0].rpartition(".")[2] for name, end in of(ends_branch, both).items() if end}
    assert ends == {"out_proj", "linear2"}


class Plain(nn.Module):
    """Branches of one layer each, with another one inside."""

    def __init__(self, width):
        super().__init__()
        self.first, self.inner, self.last = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x):
        inside = torch.relu(self.first(x))
        return x + self.last(inside + torch.relu(self.inner(inside)))


def test_without_attention_every_branch_is_a_layer():
    network = network_of(nn.Sequential(nn.Linear(8, 16), Plain(16), Plain(16), nn.Linear(16, 4)), (8,))
    assert of(layers_of, network) == {
        "0.weight": (0, 0),
        **{f"{place}.{name}.weight": (place, 2) for place in (1, 2) for name in ("first", "inner", "last")},
        "3.weight": (0, 0),
    }
    assert [name for name, end in of(ends_branch, network).items() if end] == ["1.last.weight", "2.last.weight"]


def test_the_width_of_the_stream_that_a_weight_touches():
    model = nn.Sequential(nn.Linear(8, 16), Plain(16), nn.Linear(16, 24), Plain(24), Plain(24), nn.Linear(24, 5))
    network = network_of(model, (8,))
    assert of(stream_width, network) == {
        "0.weight": 16,
        **{f"1.{name}.weight": 16 for name in ("first", "inner", "last")},
        "2.weight": 16,
        **{f"{place}.{name}.weight": 24 for place in (3, 4) for name in ("first", "inner", "last")},
        "5.weight": 24,
    }
    head = weight(network, "5.weight")
    assert stream_width(network_of(nn.Linear(24, 5), (24,)), head) is None
