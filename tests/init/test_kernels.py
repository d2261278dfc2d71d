"""Convolutions as one matrix per group: layouts, groups, and what has none."""

import pytest
import torch
from torch import nn

from initprobe.init.fans import UndrawableError
from initprobe.init.kernels import from_matrix, kernel_of, matrix_of
from initprobe.init.network import Network
from initprobe.records import Anatomy, Weight


def network_of(layer: nn.Module, weight: Weight) -> Network:
    model = nn.Module()
    model.add_module("layer", layer)
    return Network(model, Anatomy((weight,), (), ()))


def weight_of(layer: nn.Module, role: str, axis: int | None, **fans: float) -> Weight:
    return Weight(
        "layer.weight", "layer", type(layer).__name__, role, tuple(layer.weight.shape), unit_axis=axis, **fans
    )


@pytest.mark.parametrize(
    ("layer", "role", "axis"),
    [
        (nn.Linear(6, 4), "linear", 0),
        (nn.Conv1d(6, 4, 5), "conv", 0),
        (nn.Conv2d(8, 12, 3, groups=4), "conv", 0),
        (nn.Conv2d(5, 10, (3, 1), groups=5), "depthwise", 0),
        (nn.Conv3d(4, 6, 3), "conv", 0),
        (nn.ConvTranspose2d(6, 8, 3, groups=2), "transposed", 1),
        (nn.ConvTranspose1d(6, 3, 5), "transposed", 1),
    ],
)
def test_a_kernel_of_one_tap_is_its_matrices_on_every_group(layer, role, axis):
    weight = weight_of(layer, role, axis)
    kernel = kernel_of(weight, network_of(layer, weight))
    matrices = torch.randn(kernel.groups, kernel.outputs, kernel.inputs)
    values = kernel.at_middle(matrices)
    torch.testing.assert_close(kernel.middle(values), matrices)
    assert int((values != 0).sum()) == matrices.numel()
    with torch.no_grad():
        layer.weight.copy_(values)
        layer.bias.zero_()
    if role == "linear":
        return
    signal = torch.randn(2, kernel.groups * kernel.inputs, *[7] * len(kernel.taps))
    layer.padding = tuple(extent // 2 for extent in kernel.taps)
    expected = torch.einsum("goi,ngi...->ngo...", matrices, signal.unflatten(1, (kernel.groups, -1))).flatten(1, 2)
    torch.testing.assert_close(layer(signal), expected)


def test_taps_before_channels():
    layer = nn.Module()
    layer.groups, layer.weight = 2, nn.Parameter(torch.randn(3, 3, 2, 6))
    weight = weight_of(layer, "conv", 3)
    kernel = kernel_of(weight, network_of(layer, weight))
    assert (kernel.groups, kernel.outputs, kernel.inputs, kernel.taps) == (2, 3, 2, (3, 3))
    torch.testing.assert_close(kernel.middle(layer.weight)[1], layer.weight[1, 1, :, 3:].T)


@pytest.mark.parametrize(
    ("shape", "role", "axis", "fans", "reason"),
    [
        ((4,), "linear", None, {}, "joins no channels"),
        ((0, 3), "linear", 0, {}, "joins no channels"),
        ((4, 2, 3), "linear", 2, {}, "no single matrix"),
        ((4, 2, 3), "conv", None, {}, "counts the outputs is not known"),
        ((8, 2, 3), "conv", 0, {"fan_out": 12.0}, "groups are not known"),
    ],
)
def test_what_is_no_kernel_is_told(shape, role, axis, fans, reason):
    layer = nn.Module()
    layer.weight = nn.Parameter(torch.zeros(shape))
    weight = weight_of(layer, role, axis, **fans)
    with pytest.raises(UndrawableError, match=reason):
        kernel_of(weight, network_of(layer, weight))


def test_groups_that_the_module_does_not_state_are_one_where_the_fans_say_so():
    layer = nn.Module()
    layer.weight = nn.Parameter(torch.zeros(8, 2, 3))
    weight = weight_of(layer, "conv", 0, fan_out=24.0)
    assert kernel_of(weight, network_of(layer, weight)).groups == 1
    weight = weight_of(layer, "depthwise", 0, fan_out=3.0)
    assert kernel_of(weight, network_of(layer, weight)).groups == 8


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rows_are_outputs(axis):
    weight = Weight("w", "", "M", "conv", (4, 5, 6), unit_axis=axis)
    numbers = torch.randn(4, 5, 6)
    matrix = matrix_of(weight, numbers)
    assert matrix.shape[0] == numbers.shape[axis]
    torch.testing.assert_close(matrix[2], numbers.select(axis, 2).flatten())
    torch.testing.assert_close(from_matrix(weight, matrix), numbers)


def test_a_stack_of_matrices_has_no_rows():
    with pytest.raises(UndrawableError, match="stacked"):
        matrix_of(Weight("w", "", "M", "linear", (4, 5, 6), 5.0, 6.0, 2), torch.zeros(4, 5, 6))
