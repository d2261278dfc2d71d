"""The traced pass as records: what each operation was made from."""

from __future__ import annotations

import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from initprobe.dissect.steps import mixing_pattern
from initprobe.records import Fixed, Held, Signal
from tests.dissect.networks import anatomy_of
from tests.zoo.odd_models import Drawn, mlp


class Causal(nn.Module):
    """One head of self-attention over four tokens of width 6."""

    def __init__(self, *, written_out):
        super().__init__()
        self.packed, self.written_out = nn.Linear(6, 18), written_out
        self.register_buffer("mask", torch.full((4, 4), float("-inf")).triu(1))

    def forward(self, x):
        q, k, v = self.packed(x).chunk(3, -1)
        if self.written_out:
            return ((q @ k.transpose(-2, -1)) * 6**-0.5 + self.mask).softmax(-1) @ v
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def test_a_perceptron_is_a_chain_of_steps_that_sites_show():
    flow = anatomy_of(mlp(1), Drawn()).flow
    assert [step.name for step in flow.steps] == ["input", "linear", "relu", "linear"]
    assert [step.sources for step in flow.steps] == [(), (0,), (1,), (2,)]
    assert flow.steps[0].args == ("0",)
    assert flow.steps[1].args[1:] == (Held("0.weight", (6, 6)), Held("0.bias", (6,))) or flow.steps[1].sites == ("0",)
    assert flow.outputs == (3,)
    assert "2" in flow.steps[3].sites


def test_it_travels_between_processes_and_holds_no_tensor():
    flow = anatomy_of(Causal(written_out=True), Drawn(((4, 6),))).flow
    assert pickle.loads(pickle.dumps(flow)) == flow


@pytest.mark.parametrize("written_out", [False, True])
def test_an_attention_is_one_step_however_it_is_written(written_out):
    flow = anatomy_of(Causal(written_out=written_out), Drawn(((4, 6),))).flow
    (mixing,) = [step for step in flow.steps if step.effect == "attention"]
    assert all(isinstance(argument, Signal) for argument in mixing.args)
    harmonic = sum(1 / n for n in range(1, 5))
    assert mixing.pattern["row"] == pytest.approx(harmonic / 4)
    assert mixing.pattern["width"] == 6
    assert mixing.pattern["scale"] == pytest.approx(6**-0.5)


def test_even_mixing_of_all_keys():
    assert mixing_pattern(torch.ones(3, 5, dtype=torch.bool)) == {
        "row": pytest.approx(1 / 5),
        "row_apart": pytest.approx(4 / 25),
        "cross": pytest.approx(1 / 5),
        "column": pytest.approx(3 / 25),
        "column_cross": pytest.approx(6 / 25),
    }


def test_constants_are_numbers():
    class Shifted(nn.Module):
        def forward(self, x):
            return x + torch.full((6,), 3.0)

    *_, last = anatomy_of(Shifted(), Drawn()).flow.steps
    assert Fixed((6,), 3.0, 9.0) in last.args


def test_a_table_tells_how_much_its_rows_are_alike():
    table = torch.tensor([[1.0, 2.0, 0.0], [3.0, -2.0, 0.0]])

    class Placed(nn.Module):
        def forward(self, x):
            return x[:, None] + table

    *_, last = anatomy_of(Placed(), Drawn(((3,),))).flow.steps
    (held,) = (one for one in last.args if isinstance(one, Fixed))
    assert held.apart == pytest.approx((3.0 - 4.0 + 0.0) / 3.0)


def test_a_weight_that_loses_its_mean_on_the_way_is_known():
    class Standardized(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(6, 6))

        def forward(self, x):
            return F.linear(x, self.weight - self.weight.mean(1, keepdim=True))

    *_, last = anatomy_of(Standardized(), Drawn()).flow.steps
    held = last.args[1]
    assert (held.plain, held.centred) == (False, True)


def test_a_norm_that_a_module_computes_by_hand_is_one_step():
    class HandNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(6))

        def forward(self, x):
            return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    *_, last = anatomy_of(nn.Sequential(nn.Linear(6, 6), HandNorm()), Drawn()).flow.steps
    assert last.name == "rms_norm"
    assert last.kwargs["eps"] == 1e-6
    assert last.kwargs["weight"] == Held("1.weight", (6,))
