"""Every law against the very operation of torch, on random tensors whose moments are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initprobe.predict.laws.base import LAWS
from initprobe.predict.moments import Gradient, ParameterMoments
from tests.predict.laws.monte_carlo import (
    APART,
    Case,
    Parts,
    Whole,
    compare,
    network_of,
)

TOKENS, MAPS, POINTS = (6, 64), (32, 6, 6), (64,)
SHIFTED = Parts(mean=0.5)


class Plain(nn.Module):
    """A function of signals."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *values):
        return self.function(*values)


class Multiplied(nn.Module):
    """A matrix on the right, as it is or turned."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.weight = nn.Parameter(torch.empty(64, 64))
        self.bias = nn.Parameter(torch.empty(64))

    def forward(self, x):
        return {
            "matmul": lambda: x @ self.weight,
            "turned": lambda: x @ self.weight.t() + self.bias,
            "mm": lambda: torch.mm(x, self.weight),
            "addmm": lambda: torch.addmm(self.bias, x, self.weight),
        }[self.form]()


def plain(function, *shapes, **options):
    shapes = shapes or (TOKENS,)
    options.setdefault("parts", (Parts(),) * len(shapes))
    return Case(lambda: Plain(function), shapes, **options)


def layer(build, *shapes, **options):
    shapes = shapes or (TOKENS,)
    options.setdefault("parts", (Parts(),) * len(shapes))
    return Case(build, shapes, **options)


def maps(build, **options):
    return layer(build, MAPS, **{"axis": 0, **options})


CASES = {
    "linear": layer(lambda: nn.Linear(64, 48)),
    "linear of points": layer(lambda: nn.Linear(64, 48), POINTS),
    "matmul": layer(lambda: Multiplied("matmul")),
    "matmul, turned": layer(lambda: Multiplied("turned")),
    "mm": layer(lambda: Multiplied("mm"), POINTS),
    "addmm": layer(lambda: Multiplied("addmm"), POINTS),
    "conv1d": layer(lambda: nn.Conv1d(32, 32, 3, padding=1, padding_mode="circular"), (32, 16), axis=0),
    "conv2d, circular": maps(lambda: nn.Conv2d(32, 32, 3, padding=1, padding_mode="circular")),
    "conv2d, zeros": maps(lambda: nn.Conv2d(32, 32, 3, padding=1)),
    "conv2d, stride": maps(lambda: nn.Conv2d(32, 32, 3, stride=2, padding=1)),
    "conv2d, patches": maps(lambda: nn.Conv2d(32, 32, 2, stride=2)),
    "conv2d, dilation": maps(lambda: nn.Conv2d(32, 32, 3, dilation=2, padding="same")),
    "conv2d, groups": maps(lambda: nn.Conv2d(32, 64, 3, padding=1, groups=4)),
    "conv2d, depthwise": maps(lambda: nn.Conv2d(32, 32, 3, padding=1, groups=32)),
    "conv2d, pointwise": maps(lambda: nn.Conv2d(32, 32, 1)),
    "conv3d": layer(lambda: nn.Conv3d(16, 16, 3, padding=1), (16, 4, 4, 4), axis=0),
    "conv_transpose1d": layer(lambda: nn.ConvTranspose1d(32, 32, 4, stride=2, padding=1), (32, 12), axis=0),
    "conv_transpose2d": maps(lambda: nn.ConvTranspose2d(32, 32, 3, stride=2, padding=1, output_padding=1)),
    "conv_transpose2d, groups": maps(lambda: nn.ConvTranspose2d(32, 32, 3, padding=1, groups=4)),
    "batch_norm of points": layer(lambda: nn.BatchNorm1d(64), POINTS, batch=64, parts=(SHIFTED,)),
    "batch_norm of maps": maps(lambda: nn.BatchNorm2d(32), batch=32),
    "batch_norm, evaluated": maps(lambda: nn.BatchNorm2d(32), mode="eval"),
    "layer_norm": layer(lambda: nn.LayerNorm(64), parts=(SHIFTED,)),
    "layer_norm, plain": layer(lambda: nn.LayerNorm(256, elementwise_affine=False), (6, 256)),
    "rms_norm": layer(lambda: nn.RMSNorm(64), parts=(SHIFTED,)),
    "group_norm": maps(lambda: nn.GroupNorm(2, 32)),
    "instance_norm": maps(lambda: nn.InstanceNorm2d(32)),
    "add": plain(torch.add, TOKENS, TOKENS),
    "add, of means": plain(torch.add, TOKENS, TOKENS, parts=(SHIFTED, SHIFTED)),
    "add, scaled": plain(lambda x, y: torch.add(x, y, alpha=0.5), TOKENS, TOKENS),
    "add, a number": plain(lambda x: x + 0.5),
    "add, to itself": plain(lambda x: x + x),
    "sub": plain(torch.sub, TOKENS, TOKENS, parts=(SHIFTED, SHIFTED)),
    "rsub": plain(lambda x: 1.0 - x, parts=(SHIFTED,)),
    "mul": plain(torch.mul, TOKENS, TOKENS, parts=(SHIFTED, Parts(mean=-1.0))),
    "mul, a number": plain(lambda x: x * 0.5, parts=(SHIFTED,)),
    "div, by a number": plain(lambda x: x / 4.0, parts=(SHIFTED,)),
    "neg": plain(torch.neg, parts=(SHIFTED,)),
    "pad": plain(lambda x: F.pad(x, (1, 1, 1, 1)), MAPS, axis=0, parts=(SHIFTED,)),
    "pad, circular": plain(lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"), MAPS, axis=0, gradient=APART),
    "cat, units": plain(lambda x, y: torch.cat([x, y], -1), TOKENS, (6, 32), parts=(SHIFTED, Parts(own=2.0))),
    "cat, positions": plain(lambda x, y: torch.cat([x, y], 1), TOKENS, (3, 64), parts=(Parts(), Parts(own=2.0))),
    "getitem, a position": plain(lambda x: x[:, 0]),
    "getitem, units": plain(lambda x: x[..., :16]),
    "chunk": plain(lambda x: x.chunk(2, -1)[1]),
    "flatten": plain(lambda x: x.transpose(1, 2).transpose(1, 2)),
    "dropout": plain(lambda x: F.dropout(x, 0.3, training=True), parts=(SHIFTED,)),
    "dropout, evaluated": layer(lambda: nn.Dropout(0.3), mode="eval"),
    "dropout2d": maps(lambda: nn.Dropout2d(0.3)),
    "avg_pool2d": maps(lambda: nn.AvgPool2d(2)),
    "adaptive_avg_pool2d": maps(lambda: nn.AdaptiveAvgPool2d(1)),
    "mean over positions": plain(lambda x: x.mean(1), parts=(SHIFTED,)),
    "max_pool2d": maps(lambda: nn.MaxPool2d(2), parts=(Parts(0.0, 0.0, 0.0, 1.0),)),
    "max_pool2d of what shares a part": maps(lambda: nn.MaxPool2d(2), tolerance=0.08),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_law_says_what_the_operation_does(name):
    case = CASES[name]
    assert compare(case).wrong(case.tolerance) == []


SMALL = Parts(0.02, 0.02, 0.02, 0.1)
SHARP = Parts(0.05, 0.05, 0.1, 1.1)
"""Scores of variance 1.6, which eight keys cannot average: their weights are far from log-normal."""
WORDS = ((8, 64),) * 3
BLOCKED = torch.tensor([[place <= query or place == 7 for place in range(8)] for query in range(8)])


class Written(nn.Module):
    """Attention by hand."""

    def forward(self, query, key, value):
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        return torch.softmax(scores, -1) @ value


class SelfAttention(nn.Module):
    """torch's own, of one signal."""

    def __init__(self):
        super().__init__()
        self.attend = nn.MultiheadAttention(64, 4, batch_first=True)

    def forward(self, x):
        return self.attend(x, x, x, need_weights=False)[0]


def sdpa(score=SMALL, **options):
    parts = (score, score, Parts())
    return plain(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options), *WORDS, parts=parts)


ATTENTIONS = {
    "all positions": sdpa(),
    "causal": sdpa(is_causal=True),
    "masked": sdpa(attn_mask=BLOCKED),
    "scaled": sdpa(scale=0.05),
    "sharp": sdpa(SHARP),
    "sharp, alike": sdpa(Parts(0.2, 0.5, 0.2, 0.6)),
    "dropout": sdpa(dropout_p=0.2),
    "by hand": layer(Written, *WORDS, parts=(SMALL, SMALL, Parts())),
    "torch's own": layer(SelfAttention, (8, 64), parts=(SMALL,)),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_mixes_evenly(name):
    case = ATTENTIONS[name]
    assert compare(case).wrong(case.tolerance) == []


class Held(nn.Module):
    """Something done with a parameter."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.empty(shape))

    def forward(self, x):
        return self.function(x, self.weight)


WITHOUT_A_LAW = {
    "no law": (plain(lambda x: x.cumsum(1)), "no law of cumsum is known"),
    "a square": (plain(lambda x: x * x), "it squares a value"),
    "a quotient": (plain(torch.div, TOKENS, TOKENS), "it divides by a tensor"),
    "two signals": (plain(torch.matmul, TOKENS, (64, 6)), "it is a product of two signals"),
    "on the left": (layer(lambda: Held(lambda x, w: w @ x, 6, 6)), "its weight stands on the left"),
    "a pad of ones": (plain(lambda x: F.pad(x, (1, 1), value=1.0)), "it pads with a number other than zero"),
    "dropping all": (plain(lambda x: F.dropout(x, 1.0, training=True)), "it drops everything"),
    "large scores": (plain(F.scaled_dot_product_attention, *WORDS, parts=(Parts(own=9.0),) * 3), "a few keys take all"),
}


def test_signals_pass_by_the_inside_of_an_attention():
    """Scores have no prediction, and a gradient that was measured there is not handed back a second time."""
    case = ATTENTIONS["by hand"]
    network = network_of(case, Whole(case.build()).double())
    there, back = network.forward(reset=False), network.backward(network.forward(reset=False), reset=False)
    inside = [step for step in network.flow.steps if step.name == "scores"]
    assert len(inside) == 3, "product, scale and softmax"
    assert all("inside an attention" in there.why[step.index] for step in inside)
    network.gradients |= {f"inner/{step.index}": Gradient(9.0) for step in inside}
    network.flow = replace(network.flow, steps=tuple(
        replace(step, sites=(f"inner/{step.index}",)) if step in inside else step for step in network.flow.steps
    ))  # fmt: skip
    again = network.backward(there, reset=False)
    for step in network.flow.steps:
        if step.name == "input":
            assert again.expected[step.index] == back.expected[step.index]


@pytest.mark.parametrize("name", WITHOUT_A_LAW)
def test_where_no_law_holds_it_says_why(name):
    case, why = WITHOUT_A_LAW[name]
    network = network_of(case, Whole(case.build()).double())
    there = network.forward(reset=False)
    (out,) = network.flow.outputs
    assert out not in there.expected
    assert why in there.why[out]


def test_units_that_are_copies_of_one_have_no_prediction():
    case = layer(lambda: nn.Linear(64, 64))
    network = network_of(case, Whole(case.build()).double())
    network.facts.parameters["inner.weight"] = ParameterMoments(0.25, 0.5)
    there = network.forward(reset=False)
    assert "nearly constant" in there.why[network.flow.outputs[0]]


def test_a_batch_of_few_values_has_no_prediction_backward():
    case = layer(lambda: nn.BatchNorm1d(64), POINTS, batch=4)
    network = network_of(case, Whole(case.build()).double())
    back = network.backward(network.forward(reset=False), reset=False)
    assert "so few values" in back.why[0]


def test_what_comes_behind_no_prediction_says_so():
    case = layer(lambda: nn.Sequential(Plain(lambda x: x.cumsum(1)), nn.Linear(64, 64)))
    network = network_of(case, Whole(case.build()).double())
    there = network.forward(reset=False)
    assert there.why[network.flow.outputs[0]] == "it is made from a value without a prediction"


def test_every_law_is_held_to_its_operation():
    """Here, or in a test of its own."""
    cases = {**CASES, **ATTENTIONS}
    seen = set()
    for case in cases.values():
        network = network_of(case, Whole(case.build()).double())
        seen |= {type(law) for law in network.laws if law is not None}
    left = {type(law).__module__.rpartition(".")[2] for _, law in LAWS.items() if type(law) not in seen}
    assert [name for name in left if not (Path(__file__).parent / f"test_{name}.py").exists()] == []
