"""Gates of recurrent layers, measured one by one."""

import pytest
import torch
from torch import nn

from initprobe.load.given import open_given
from initprobe.measure.gates import UNITS, gate_traces
from initprobe.pipeline import Bench
from initprobe.records import Part, Weight
from initprobe.settings import Flags, resolve

NAMES = ("input_gate", "forget_gate", "cell_gate", "output_gate")


def packed(shape, side="hidden"):
    size = shape[0] // 4
    parts = tuple(Part(name, 0, ((at * size, (at + 1) * size),)) for at, name in enumerate(NAMES))
    return Weight("w", "", "LSTM", "recurrent", shape, parts=parts, recurrent=side)


def test_every_gate_has_its_own_numbers():
    matrix = torch.cat([torch.full((3, 3), 1.0), 2.0 * torch.eye(3), torch.zeros(3, 3), torch.full((3, 3), -4.0)])
    found = gate_traces(matrix, packed((12, 3)))
    assert tuple(found) == NAMES
    assert (found["input_gate"].mean, found["input_gate"].rms, found["input_gate"].diagonal) == (1.0, 1.0, 1.0)
    assert found["forget_gate"].diagonal == 2.0
    assert found["forget_gate"].rms == pytest.approx((4.0 / 3.0) ** 0.5)
    assert found["output_gate"].mean == -4.0
    assert found["output_gate"].sample == ()


def test_biases_are_sampled_at_the_same_units_of_every_gate():
    bias = torch.arange(400.0)
    found = gate_traces(bias, packed((400,)))
    first = found["input_gate"].sample
    assert 1 < len(first) <= UNITS
    assert [value - 100.0 for value in found["forget_gate"].sample] == list(first)


def test_other_weights_are_left_alone():
    assert gate_traces(torch.ones(4, 4), Weight("w", "", "Linear", "linear", (4, 4))) == {}


def test_a_plain_layer_is_one_gate_without_a_name():
    found = gate_traces(torch.full((4, 2), 3.0), Weight("w", "", "RNN", "recurrent", (4, 2), recurrent="input"))
    assert found[""].rms == 3.0
    assert found[""].diagonal is None


def test_a_probe_measures_them():
    target, request = open_given(lambda: nn.GRU(4, 4, batch_first=True), torch.ones(2, 3, 4))
    trace = Bench(target, resolve(request, Flags(None), None), lambda _line: None).draw(0).trace
    found = {one.name: tuple(one.parts) for one in trace.parameters}
    gates = ("reset_gate", "update_gate", "new_gate")
    assert found == dict.fromkeys(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), gates)
