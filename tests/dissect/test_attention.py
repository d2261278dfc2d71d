"""Which projection of an attention a weight is, and which part of a packed one, however the attention is written."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.dissect.networks import anatomy_of
from tests.zoo.odd_models import IMAGES, Drawn

TOKENS = Drawn(((5, 8),))


def by_softmax(q, k, v):
    return (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1) @ v


def masked(q, k, v):
    scores = torch.matmul(q, k.mT) * 0.3
    scores = scores + torch.zeros(5, 5)
    scores = scores.masked_fill(torch.eye(5, dtype=torch.bool), float("-inf"))
    return torch.matmul(F.dropout(F.softmax(scores, dim=-1, dtype=torch.float32), 0.1).type_as(v), v)


def by_einsum(q, k, v):
    return torch.einsum("bij,bjd->bid", torch.softmax(torch.einsum("bid,bjd->bij", q, k), -1), v)


def over_the_second_axis(q, k, v):
    """Keys on the left, as the softmax over queries' columns shows."""
    return (k @ q.mT).softmax(-2).mT @ v


def values_on_the_left(q, k, v):
    return torch.bmm(v.mT, torch.bmm(q, k.mT).softmax(-1).mT).mT


def linear_in_time(q, k, v):
    """Katharopoulos et al. 2020: feature maps, and keys meet values first."""
    return (F.elu(q) + 1) @ ((F.elu(k) + 1).mT @ v)


def rotated(q, k, v):
    cos, sin = torch.cos(torch.arange(5.0))[:, None], torch.sin(torch.arange(5.0))[:, None]

    def turn(x):
        return x * cos + torch.cat((-x[..., 4:], x[..., :4]), -1) * sin

    return F.scaled_dot_product_attention(turn(q), turn(k), v)


def normalized(q, k, v):
    return F.scaled_dot_product_attention(F.normalize(q, dim=-1), F.rms_norm(k, (8,)), v, is_causal=True)


WAYS = [
    F.scaled_dot_product_attention, by_softmax, masked, by_einsum, over_the_second_axis, values_on_the_left,
    linear_in_time, rotated, normalized,
]  # fmt: skip
SPLITS = {
    "chunk": lambda y: y.chunk(3, -1),
    "split": lambda y: y.split(8, dim=-1),
    "index": lambda y: (y[..., :8], y[..., 8:16], y[..., 16:]),
    "unbind": lambda y: y.view(*y.shape[:-1], 3, 8).unbind(-2),
    "narrow": lambda y: [y.narrow(-1, 8 * place, 8) for place in range(3)],
    "permute": lambda y: [one.contiguous() for one in y.unflatten(-1, (3, 8)).permute(2, 0, 1, 3)],
}


class Attending(nn.Module):
    """One packed projection or three of their own; a residual stream around it, a perceptron behind it."""

    def __init__(self, attend, split=None) -> None:
        super().__init__()
        self.attend, self.split = attend, split
        if split is None:
            self.q, self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        else:
            self.qkv = nn.Linear(8, 24)
        self.norm, self.out = nn.LayerNorm(8), nn.Linear(8, 8)
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        y = self.norm(x)
        q, k, v = (self.q(y), self.k(y), self.v(y)) if self.split is None else self.split(self.qkv(y))
        x = x + self.out(self.attend(q, k, v))
        return x + self.down(F.gelu(self.up(x)))


def traced(*layers):
    anatomy = anatomy_of(nn.Sequential(nn.Linear(8, 8), *layers), TOKENS)
    return {weight.name: weight for weight in anatomy.weights}, anatomy


@pytest.mark.parametrize("attend", WAYS)
def test_separate_projections(attend):
    weights, anatomy = traced(Attending(attend), Attending(attend))
    for place in (1, 2):
        found = {
            name: weights[f"{place}.{name}.weight"].attention for name in ("q", "k", "v", "out", "up", "down", "norm")
        }
        assert found == {
            "q": "query", "k": "key", "v": "value", "out": "out", "up": None, "down": None, "norm": None,
        }  # fmt: skip
    assert weights["1.q.bias"].attention == "query"
    assert [one.tails for one in anatomy.branches] == [
        (f"{place}.{end}.weight",) for place in (1, 2) for end in ("out", "down")
    ]
    assert all(not weight.parts for weight in weights.values())


@pytest.mark.parametrize("attend", WAYS)
@pytest.mark.parametrize("split", SPLITS)
def test_packed_projections(attend, split):
    weights, anatomy = traced(Attending(attend, SPLITS[split]))
    packed = weights["1.qkv.weight"]
    assert (packed.attention, packed.fan_in, packed.fan_out) == ("query_key_value", 8, 8)
    assert [(part.name, part.axis, part.ranges) for part in packed.parts] == [
        ("query", 0, ((0, 8),)), ("key", 0, ((8, 16),)), ("value", 0, ((16, 24),)),
    ]  # fmt: skip
    assert weights["1.out.weight"].attention == "out"
    assert len(anatomy.branches) == 2


def test_queries_of_their_own_and_keys_and_values_packed():
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.kv, self.out = nn.Linear(8, 8), nn.Linear(8, 16), nn.Linear(8, 8)

        def forward(self, x):
            k, v = self.kv(x).chunk(2, -1)
            return x + self.out(by_softmax(self.q(x), k, v))

    weights, _ = traced(Cross())
    assert (weights["1.q.weight"].attention, weights["1.kv.weight"].attention) == ("query", "key_value")
    assert {part.name: part.ranges for part in weights["1.kv.weight"].parts} == {"key": ((0, 8),), "value": ((8, 16),)}


def test_one_projection_for_queries_and_keys():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.qk, self.v = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            qk = self.qk(x)
            return x + by_softmax(qk, qk, self.v(x))

    weights, anatomy = traced(Shared())
    assert (weights["1.qk.weight"].attention, weights["1.qk.weight"].parts) == ("query_key", ())
    assert [one.tails for one in anatomy.branches] == [("1.v.weight",)]  # without an output projection


def test_convolutions_make_queries_too():
    class Pixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Conv2d(3, 9, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x):
            q, k, v = self.qkv(x).flatten(2).chunk(3, dim=1)
            y = v @ (q.transpose(1, 2) @ k).softmax(-1).transpose(1, 2)
            return x + self.out(y.view_as(x))

    weights = {weight.name: weight for weight in anatomy_of(Pixels(), IMAGES).weights}
    assert [(part.name, part.ranges) for part in weights["qkv.weight"].parts] == [
        ("query", ((0, 3),)), ("key", ((3, 6),)), ("value", ((6, 9),)),
    ]  # fmt: skip
    assert weights["qkv.weight"].fan_out == 3
    assert weights["out.weight"].attention == "out"


def test_products_of_signals_that_are_no_attention():
    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(5, 3)

        def forward(self, x):
            return self.out(torch.relu(self.a(x) @ self.b(x).mT))

    anatomy = anatomy_of(Bilinear(), TOKENS)
    assert {weight.attention for weight in anatomy.weights} == {None}


GLUS = {
    "halves": lambda y: F.silu(y[..., :8]) * y[..., 8:],
    "chunk": lambda y: math.prod((y.chunk(2, -1)[0].sigmoid(), y.chunk(2, -1)[1])),
    "torch": F.glu,
}


@pytest.mark.parametrize(("glu", "gate"), [("halves", (0, 8)), ("chunk", (0, 8)), ("torch", (8, 16))])
def test_packed_gated_linear_units(glu, gate):
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.both, self.down = nn.Linear(8, 16), nn.Linear(8, 8)

        def forward(self, x):
            return x + self.down(GLUS[glu](self.both(x)))

    weights, anatomy = traced(Gated())
    packed = weights["1.both.weight"]
    assert {part.name: part.ranges for part in packed.parts} == {
        "gate": (gate,),
        "value": ((8 - gate[0], 24 - gate[1]),),
    }
    assert (packed.fan_out, packed.gated) == (8, None)
    assert [one.tails for one in anatomy.branches] == [("1.down.weight",)]


def test_what_gates_itself_is_no_gated_unit():
    class Swish(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(8, 8)

        def forward(self, x):
            x = self.lin(x)
            return x * torch.sigmoid(x)

    weights, _ = traced(Swish())
    assert {weight.gated for weight in weights.values()} == {None}
