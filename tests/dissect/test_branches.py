"""Residual branches, however they are written."""

from __future__ import annotations

import operator
from functools import reduce

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

from tests.dissect.networks import HandNorm, PostActivation, Standardized, anatomy_of, streams
from tests.zoo.odd_models import IMAGES, Drawn

EIGHT = Drawn(((8,),))


class Branched(nn.Module):
    """A block whose join is a function of the stream, the branch and a parameter."""

    def __init__(self, join, gate=None) -> None:
        super().__init__()
        self.join = join
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8)
        self.gate = None if gate is None else nn.Parameter(gate)

    def forward(self, x):
        y = self.down(torch.relu(self.up(self.norm(x))))
        return self.join(x, y) if self.gate is None else self.join(x, y, self.gate)


def blocks(*made):
    return anatomy_of(nn.Sequential(nn.Linear(8, 8), *made, nn.LayerNorm(8), nn.Linear(8, 3)), EIGHT)


@pytest.mark.parametrize(
    ("join", "skip"),
    [
        (lambda x, y: x + y, "identity"),
        (lambda x, y: y + x, "identity"),
        (operator.iadd, "identity"),
        (torch.add, "identity"),
        (lambda x, y: x.add(y, alpha=0.3), "identity"),
        (lambda x, y: reduce(torch.add, (x, y)), "identity"),
        (lambda x, y: sum((x, y)), "identity"),
        (lambda x, y: torch.lerp(x, y, 0.1), "identity"),
        (lambda x, y: torch.addcmul(x, y, torch.full((8,), 0.1)), "identity"),
        (lambda x, y: x + F.dropout(0.5 * y, 0.2), "identity"),
        (lambda x, y: 1.7 * x + y, "scaled"),
        (lambda x, y: (x + y) * 0.5**0.5, "identity"),
        (lambda x, y: F.layer_norm(x + y, (8,)), "identity"),
        (lambda x, y: torch.relu(x + y), "identity"),
        (lambda x, y: x - y, "identity"),
    ],
)
def test_a_branch_is_known_by_its_join(join, skip):
    anatomy = blocks(Branched(join), Branched(join))
    assert [(one.block, one.weights, one.tails, one.skip) for one in anatomy.branches] == [
        (n, (f"{n}.up.weight", f"{n}.down.weight"), (f"{n}.down.weight",), skip) for n in ("1", "2")
    ]
    assert {weight.name for weight in anatomy.weights if weight.tail} == {"1.down.weight", "2.down.weight"}
    assert [weight.branch for weight in anatomy.weights if weight.name.startswith("1.")] == [0] * 6
    assert all(one.gate is None and one.within is None for one in anatomy.branches)


@pytest.mark.parametrize(
    "join",
    [
        lambda x, y, gate: x + gate * y,
        lambda x, y, gate: x + y * gate,
        lambda x, y, gate: y.mul_(gate).add_(x),
        lambda x, y, gate: torch.addcmul(x, gate, y),
        lambda x, y, gate: x.addcmul(y, gate),
        lambda x, y, gate: x + F.dropout(gate.tanh() * y, 0.2),
        lambda x, y, gate: gate * x + y,
    ],
)
@pytest.mark.parametrize("gate", [torch.zeros(1), torch.zeros(()), torch.full((8,), 1e-5), torch.ones(1, 8)])
def test_what_scales_a_branch_or_its_skip_path_is_a_gate(join, gate):
    """ReZero and SkipInit have one number, LayerScale one per channel."""
    anatomy = blocks(Branched(join, gate), Branched(join, gate))
    roles = {weight.name: weight.role for weight in anatomy.weights}
    assert roles["1.gate"] == roles["2.gate"] == "gate"
    on_skip = {one.skip for one in anatomy.branches} == {"scaled"}
    assert [one.gate for one in anatomy.branches] == ([None] * 2 if on_skip else ["1.gate", "2.gate"])
    assert all(weight.traced for weight in anatomy.weights)


class NormFreeBlock(Branched):
    """A block that is called after what it does without."""


def test_a_block_that_is_called_after_norms_has_gates_like_any_other():
    anatomy = blocks(NormFreeBlock(lambda x, y, gate: x + gate * y, torch.zeros(())))
    assert {weight.name for weight in anatomy.weights if weight.role == "gate"} == {"1.gate"}


@pytest.mark.parametrize(
    "add",
    [
        lambda x, a, b: x + a + b,
        lambda x, a, b: a + b + x,
        lambda x, a, b: x + (a + b),
        lambda x, a, b: x + 0.5 * (b + a),
        lambda x, a, b: torch.add(torch.add(x, b), a),
    ],
)
def test_functions_that_are_added_side_by_side_are_branches_of_their_own(add):
    """GPT-J, PaLM: x + attn(n(x)) + mlp(n(x))."""

    class Parallel(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)
            self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

        def forward(self, x):
            y = self.norm(x)
            return add(x, torch.tanh(self.mix(y)), self.down(F.gelu(self.up(y))))

    anatomy = blocks(Parallel(), Parallel(), Parallel())
    found = {(one.block, one.weights, one.skip, one.within) for one in anatomy.branches}
    assert found == {(n, (f"{n}.mix.weight",), "identity", None) for n in "123"} | {
        (n, (f"{n}.up.weight", f"{n}.down.weight"), "identity", None) for n in "123"
    }
    assert len(anatomy.branches) == 6
    (stream,) = streams(anatomy, "residual")  # where one is added after the other, each sum is a join
    assert stream in {("1", "2", "3"), ("1/add", "1", "2/add", "2", "3/add", "3")}


def test_layers_side_by_side_are_no_residual_branch():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return self.a(x) + self.b(torch.roll(x, 1, 0))

    assert blocks(Aside()).branches == ()


def test_a_recurrence_written_out_has_no_residual_branch():
    class Elman(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter, self.again = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            state = torch.zeros(len(x), 8)
            for step in x.unbind(1):
                state = torch.tanh(self.enter(step) + self.again(state))
            return state

    anatomy = anatomy_of(Elman(), Drawn(((5, 8),)))
    assert anatomy.branches == ()
    assert {weight.role for weight in anatomy.weights} == {"linear", "bias"}


def test_projection_shortcuts():
    anatomy = anatomy_of(nn.Sequential(nn.Conv2d(3, 4, 1), PostActivation(4, 6), PostActivation(6)), IMAGES)
    first, second = anatomy.branches
    assert (first.skip, first.shortcut, first.tails) == ("projection", ("1.short.weight",), ("1.c2.weight",))
    assert (second.skip, second.shortcut, second.norm, second.join) == ("identity", (), "2.b2.weight", "2/add")
    weights = {weight.name: weight for weight in anatomy.weights}
    assert weights["1.short.weight"].branch is None
    assert weights["1.b2.weight"].branch == 0


def test_a_branch_inside_a_branch_says_so():
    class Nested(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter, self.inner, self.leave = nn.Linear(8, 8), Branched(torch.add), nn.Linear(8, 8)

        def forward(self, x):
            return x + self.leave(self.inner(self.enter(x)))

    anatomy = blocks(Nested())
    inner, outer = anatomy.branches
    assert (inner.tails, inner.block, inner.within) == (("1.inner.down.weight",), "1.inner", 1)
    assert (outer.tails, outer.block, outer.within) == (("1.leave.weight",), "1", None)
    assert len(outer.weights) == 4
    assert anatomy.outer_branches == (outer,)
    assert {weight.name: weight.branch for weight in anatomy.weights if weight.role == "linear"} == {
        "0.weight": None, "1.enter.weight": 1, "1.inner.up.weight": 0, "1.inner.down.weight": 0, "1.leave.weight": 1,
        "3.weight": None,
    }  # fmt: skip


def test_shared_blocks_count_once_per_use():
    block = Branched(torch.add)
    anatomy = blocks(block, block, block)
    assert [one.block for one in anatomy.branches] == ["1", "1", "1"]
    assert [one.tails for one in anatomy.branches] == [("1.down.weight",)] * 3
    assert {weight.name: weight.branch for weight in anatomy.weights}["1.up.weight"] == 0


def test_gates_and_products_at_the_end_are_no_tails():
    """With every tail zero the branch is zero: a weight behind a sigmoid would leave half of it."""

    class Excited(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.squeeze = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            y = self.body(x)
            return x + y * torch.sigmoid(self.squeeze(y))

    anatomy = blocks(Excited())
    assert [one.tails for one in anatomy.branches] == [("1.body.weight",)]
    gated = {weight.name: weight.gated for weight in anatomy.weights if weight.gated}
    assert gated == {"1.body.weight": "value", "1.squeeze.weight": "gate"}


def test_a_norm_at_the_end_is_told():
    class Sandwich(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.lin, self.behind = nn.LayerNorm(8), nn.Linear(8, 8), HandNorm(8)

        def forward(self, x):
            return x + self.behind(self.lin(self.before(x)))

    anatomy = blocks(Sandwich())
    (branch,) = anatomy.branches
    assert (branch.norm, branch.gate, branch.tails) == ("1.behind.gain", None, ("1.lin.weight",))
    assert {weight.name: weight.role for weight in anatomy.weights}["1.behind.gain"] == "norm"


def test_a_reparametrized_tail_is_the_parameter_behind_it():
    block = Branched(torch.add)
    parametrizations.weight_norm(block.down)
    (branch,) = blocks(block).branches
    assert branch.tails == ("1.down.parametrizations.weight.original1",)


def test_fixup():
    """Zhang et al. 2019: a scalar bias before every layer, a multiplier at the end, no norm."""

    class Fixup(nn.Module):
        def __init__(self):
            super().__init__()
            self.biases = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in range(4))
            self.conv1, self.conv2 = (
                nn.Conv2d(4, 4, 3, padding=1, bias=False),
                nn.Conv2d(4, 4, 3, padding=1, bias=False),
            )
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x):
            out = self.conv2(F.relu(self.conv1(x + self.biases[0]) + self.biases[1]) + self.biases[2])
            out = out * self.scale + self.biases[3]
            out += x
            return F.relu(out)

    anatomy = anatomy_of(nn.Sequential(nn.Conv2d(3, 4, 1), Fixup(), Fixup()), IMAGES)
    assert [(one.weights, one.gate) for one in anatomy.branches] == [
        ((f"{n}.conv1.weight", f"{n}.conv2.weight"), f"{n}.scale") for n in (1, 2)
    ]
    roles = {weight.name: weight.role for weight in anatomy.weights}
    assert {role for name, role in roles.items() if "biases" in name} == {"bias"}


def test_depth_counts_the_longest_way():
    anatomy = blocks(Branched(torch.add), Branched(torch.add))
    depths = {weight.name: weight.depth for weight in anatomy.weights}
    assert [depths[f"{name}.weight"] for name in ("0", "1.up", "1.down", "2.up", "2.down", "4")] == [1, 2, 3, 4, 5, 6]
    assert (depths["2.norm.weight"], depths["2.norm.bias"], depths["2.up.bias"]) == (3, 3, 4)


def test_heads_make_outputs_and_nothing_else():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.left, self.right = nn.Linear(8, 8), nn.Linear(8, 3), nn.Linear(8, 2)

        def forward(self, x):
            x = self.body(x)
            return {"hidden": x, "left": self.left(torch.relu(x)), "right": self.right(x).softmax(-1)}

    anatomy = anatomy_of(Both(), EIGHT)
    assert {weight.name for weight in anatomy.weights if weight.head} == {"left.weight", "right.weight"}


def test_a_standardized_projection_is_one_too():
    """Its weight is asked for its shape a second time, which is no second use."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = Standardized(4, 4, 3, padding=1), Standardized(4, 6, 3, padding=1)
            self.short = Standardized(4, 6, 1)

        def forward(self, x):
            return self.short(x) + self.last(F.relu(self.first(x)))

    (branch,) = anatomy_of(nn.Sequential(nn.Conv2d(3, 4, 1), Block()), IMAGES).branches
    assert (branch.skip, branch.shortcut, branch.tails) == ("projection", ("1.short.weight",), ("1.last.weight",))
