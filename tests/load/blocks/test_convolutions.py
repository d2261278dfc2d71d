"""Convolutions, transposed and depthwise ones, and what makes images larger without weights: torch's own modules."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def built(layer, shape):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    planned = plan(spec, checked(spec).model.layers, Signal(tuple(shape)))
    return construct(spec, planned, 0)[0], planned.output.shape


CASES = [
    ("{type: conv3d, out: 6, kernel: [1, 3, 3], padding: [0, 1, 1], groups: 2}", (4, 3, 5, 5), nn.Conv3d),
    ("{type: depthwise_conv1d, kernel: 3, padding: same}", (4, 9), nn.Conv1d),
    ("{type: depthwise_conv2d, kernel: 3, multiplier: 2, stride: 2}", (4, 9, 9), nn.Conv2d),
    ("{type: depthwise_conv3d, kernel: 3, padding: 1}", (4, 3, 5, 5), nn.Conv3d),
    ("{type: conv_transpose1d, out: 6, kernel: 4, stride: 2, padding: 1}", (4, 7), nn.ConvTranspose1d),
    ("{type: conv_transpose2d, out: 6, kernel: 3, stride: 2, output_padding: 1}", (4, 5, 5), nn.ConvTranspose2d),
    ("{type: conv_transpose3d, out: 6, kernel: 2, groups: 2, bias: false}", (4, 2, 3, 4), nn.ConvTranspose3d),
    ("{type: upsample, factor: 3}", (4, 5), nn.Upsample),
    ("{type: upsample, mode: linear}", (4, 5, 6), nn.Upsample),
    ("{type: upsample, mode: linear}", (4, 2, 3, 4), nn.Upsample),
    ("{type: upsample, mode: cubic}", (4, 5, 6), nn.Upsample),
    ("{type: pixel_shuffle, factor: 2}", (8, 3, 5), nn.PixelShuffle),
    ("{type: pixel_unshuffle, factor: 2}", (2, 6, 4), nn.PixelUnshuffle),
    ("local_response_norm", (8, 5, 5), nn.LocalResponseNorm),
    ("{type: local_response_norm, size: 3}", (8, 5), nn.LocalResponseNorm),
]


@pytest.mark.parametrize(("layer", "shape", "kind"), CASES)
def test_a_layer_is_torchs(layer, shape, kind):
    module, left = built(layer, shape)
    assert type(module) is kind
    assert module(torch.randn(2, *shape)).shape == (2, *left)


def test_a_depthwise_convolution_keeps_channels_apart():
    module, left = built("{type: depthwise_conv2d, kernel: 3, multiplier: 2, bias: false}", (4, 5, 5))
    assert module.groups == 4
    assert module.weight.shape == (8, 1, 3, 3)
    assert left == (8, 3, 3)
    x = torch.zeros(1, 4, 5, 5)
    x[:, 1] = 1.0
    assert module(x)[0].flatten(1).any(1).tolist() == [False, False, True, True, False, False, False, False]


def test_options_reach_local_response_normalization():
    module, _ = built("{type: local_response_norm, size: 3, alpha: 0.5, beta: 0.25, k: 2.0}", (8, 5))
    assert (module.size, module.alpha, module.beta, module.k) == (3, 0.5, 0.25, 2.0)


def test_shuffled_pixels_come_back():
    x = torch.randn(2, 8, 3, 5)
    assert torch.equal(built("pixel_unshuffle", (2, 6, 10))[0](built("pixel_shuffle", (8, 3, 5))[0](x)), x)


small = st.integers(1, 4)


@settings(max_examples=60, deadline=None)
@given(
    axes=st.integers(1, 3),
    size=st.integers(1, 5),
    numbers=st.tuples(small, small, st.integers(0, 3), st.integers(0, 3), small),
)
def test_a_transposed_convolution_leaves_what_it_says(axes, size, numbers):
    kernel, stride, padding, added, dilation = numbers
    layer = (
        f"{{type: conv_transpose{axes}d, out: 2, kernel: {kernel}, stride: {stride}, padding: {padding}, "
        f"output_padding: {added}, dilation: {dilation}}}"
    )
    shape = (3, *(size,) * axes)
    try:
        module, left = built(layer, shape)
    except SpecError:
        assert added >= max(stride, dilation) or (size - 1) * stride + dilation * (kernel - 1) + added < 2 * padding
    else:
        assert module(torch.randn(2, *shape)).shape == (2, *left)


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        ("{type: conv3d, out: 2, kernel: 2}", (4, 5, 5), "(channels, depth, height, width)"),
        ("{type: conv3d, out: 2, kernel: [2, 2]}", (4, 5, 5, 5), "has 3 axes, 'kernel' has 2"),
        ("{type: conv_transpose2d, out: 3, kernel: 2, groups: 2}", (4, 5, 5), "2 groups divide"),
        ("{type: conv_transpose2d, out: 3, kernel: 2, padding: 4}", (4, 2, 2), "cuts more off"),
        ("{type: conv_transpose1d, out: 3, kernel: 2, output_padding: 1}", (4, 5), "below its stride"),
        ("{type: depthwise_conv2d, kernel: 3, out: 4}", (4, 5, 5), "out"),
        ("{type: depthwise_conv2d, kernel: 7}", (4, 5, 5), "cannot fit a kernel"),
        ("{type: upsample, mode: cubic}", (4, 5), "cubic needs"),
        ("upsample", (4,), "one, two or three axes"),
        ("{type: pixel_shuffle, factor: 3}", (8, 3, 3), "3² divides"),
        ("{type: pixel_unshuffle, factor: 2}", (2, 5, 4), "2 divides"),
        ("local_response_norm", (4,), "at least 2 axes"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(layer, shape, said):
    with pytest.raises(SpecError) as caught:
        built(layer, shape)
    assert said in str(caught.value)
    assert "f:5:" in caught.value.render()
