import pytest
import torch
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def built(layer, shape):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    return construct(spec, plan(spec, checked(spec).model.layers, Signal(shape)), 0)[0]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((3, 8), nn.InstanceNorm1d), ((3, 4, 4), nn.InstanceNorm2d), ((3, 2, 4, 4), nn.InstanceNorm3d)],
)
def test_the_shape_chooses_the_module(shape, kind):
    module = built("{type: instance_norm, affine: true}", shape)
    assert isinstance(module, kind)
    assert module.weight.shape == (3,)


def test_every_channel_of_every_sample_is_normalized():
    x = 5 + 3 * torch.randn(2, 3, 400, generator=torch.Generator().manual_seed(0))
    y = built("instance_norm", (3, 400))(x)
    torch.testing.assert_close(y.mean(-1), torch.zeros(2, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.square().mean(-1), torch.ones(2, 3), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((8,), "two to four axes"), ((3, 1), "more than one value"), ((3, 1, 1), "more than one value")],
)
def test_what_cannot_be_normalized_is_refused(shape, said):
    with pytest.raises(SpecError, match=said):
        built("instance_norm", shape)
