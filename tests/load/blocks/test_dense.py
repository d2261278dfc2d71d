"""Concatenated channels: DenseNet against torchvision's, and U-Nets."""

import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def only(layer, shape=(16, 8, 8)):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    planned = plan(spec, checked(spec).model.layers, Signal(shape))
    return construct(spec, planned, 0)[0]


def same_weights(model, reference):
    own, other = model.state_dict(), reference.state_dict()
    assert [tuple(one.shape) for one in own.values()] == [tuple(one.shape) for one in other.values()]
    model.load_state_dict(dict(zip(own, other.values(), strict=True)))


def batch(*shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))


def test_a_dense_block():
    from torchvision.models.densenet import _DenseBlock

    model, reference = only("{type: dense_block, times: 3, growth: 12}"), _DenseBlock(3, 16, 4, 12, 0.0)
    same_weights(model, reference)
    x = batch(16, 8, 8)
    y = model(x)
    torch.testing.assert_close(y, reference(x), atol=1e-5, rtol=1e-5)
    assert torch.equal(y[:, :16], x)
    assert y.shape[1] == 16 + 3 * 12


def test_a_transition():
    from torchvision.models.densenet import _Transition

    model, reference = only("transition"), _Transition(16, 8)
    same_weights(model, reference)
    x = batch(16, 8, 8)
    torch.testing.assert_close(model(x), reference(x.clone()), atol=1e-5, rtol=1e-5)


def test_no_bottleneck_and_no_normalization():
    model = only("{type: dense_block, times: 2, growth: 5, bottleneck: 0, norm: none, dropout: 0.5}")
    assert list(dict(model.layer1.steps.named_children())) == ["activation1", "conv1", "dropout"]
    assert model.layer2.steps.conv1.weight.shape == (5, 21, 3, 3)
    assert model.layer2.steps.conv1.bias is not None


UNET = (
    "{type: unet, down: [{type: conv2d, out: 6, kernel: 3, padding: 1}], "
    "bottom: [{type: max_pool2d, kernel: 2}, %s, upsample], up: [{type: conv2d, out: 5, kernel: 1}]}"
)


def test_a_unet_joins_what_it_kept_and_what_came_back():
    model = only(UNET % "tanh")
    x = batch(16, 8, 8)
    kept = model.down(x)
    torch.testing.assert_close(model(x), model.up(torch.cat([kept, model.bottom(kept)], 1)))
    assert model.up.conv2d.in_channels == 12


def test_unets_nest():
    model = only(UNET % (UNET % "tanh"))
    assert model(batch(16, 8, 8)).shape == (4, 5, 8, 8)
    assert model.up.conv2d.in_channels == 6 + 5


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (UNET % "tanh", (16, 7, 7), r"`down` ends with \(6, 7, 7\), `bottom` with \(6, 6, 6\)"),
        ("transition", (4, 1, 1), "cannot halve"),
        ("{type: transition, compression: 2}", (4, 4, 4), "compression"),
        ("{type: dense_block, times: 2, growth: 0}", (4, 4, 4), "growth"),
        ("{type: unet, down: [relu], up: [relu]}", (4, 4, 4), "bottom"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(layer, shape, said):
    with pytest.raises(SpecError, match=said) as caught:
        only(layer, shape)
    assert "f:5:" in caught.value.render()
