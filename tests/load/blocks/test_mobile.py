"""Inverted residuals against torchvision's, with and without squeeze and excitation."""

import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def only(layer, shape=(16, 8, 8)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    return construct(spec, plan(spec, checked(spec).model.layers, Signal(shape)), 0)[0]


def same_weights(model, reference):
    own, other = model.state_dict(), reference.state_dict()
    assert [tuple(one.shape) for one in own.values()] == [tuple(one.shape) for one in other.values()]
    model.load_state_dict(dict(zip(own, other.values(), strict=True)))


def batch(*shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("out", "expand"), [(16, 6), (24, 6), (16, 1)])
def test_mobilenet_v2(out, expand, stride):
    from torchvision.models.mobilenetv2 import InvertedResidual

    model = only(f"{{type: inverted_residual, out: {out}, expand: {expand}, stride: {stride}}}")
    reference = InvertedResidual(16, out, stride, expand)
    same_weights(model, reference)
    x = batch(16, 8, 8)
    torch.testing.assert_close(model(x), reference(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("out", "stride", "kernel"), [(16, 1, 3), (24, 2, 5)])
def test_efficientnet(out, stride, kernel):
    from torchvision.models.efficientnet import MBConv, MBConvConfig

    model = only(
        f"{{type: inverted_residual, out: {out}, stride: {stride}, kernel: {kernel}, squeeze: 0.25, activation: silu}}"
    )
    reference = MBConv(MBConvConfig(6, kernel, stride, 16, out, 1), 0.0, torch.nn.BatchNorm2d)
    same_weights(model, reference)
    x = batch(16, 8, 8)
    torch.testing.assert_close(model(x), reference(x), atol=1e-5, rtol=1e-5)


def test_squeeze_and_excitation():
    from torchvision.ops import SqueezeExcitation

    model, reference = only("squeeze_excitation"), SqueezeExcitation(16, 4)
    same_weights(model, reference)
    x = batch(16, 8, 8)
    torch.testing.assert_close(model(x), reference(x))


def test_a_dropped_branch_leaves_the_skip_path():
    model = only("{type: inverted_residual, out: 16, drop_path: 1}")
    x = batch(16, 8, 8)
    assert torch.equal(model(x), x)
    assert only("{type: inverted_residual, out: 24, drop_path: 1}").drop_path is None


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("{type: inverted_residual, out: 16, kernel: 4}", "odd kernel"),
        ("{type: inverted_residual, out: 16, expand: 0}", "above 0"),
        ("{type: inverted_residual}", "out"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(layer, said):
    with pytest.raises(SpecError, match=said) as caught:
        only(layer)
    assert "f:5:" in caught.value.render()
