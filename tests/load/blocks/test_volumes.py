"""Networks for volumes: three-dimensional convolutions, normalizations and pooling are torch's own."""

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

VOLUME = (4, 6, 6, 6)


def built(layer, shape=VOLUME):
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n")
    planned = plan(spec, checked(spec).model.layers, Signal(tuple(shape)))
    return construct(spec, planned, 0)[0], planned.output.shape


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        ("batch_norm", nn.BatchNorm3d(4)),
        ("{type: instance_norm, affine: true}", nn.InstanceNorm3d(4, affine=True)),
        ("{type: group_norm, groups: 2}", nn.GroupNorm(2, 4)),
        ("{type: max_pool3d, kernel: 2, padding: 1}", nn.MaxPool3d(2, padding=1)),
        ("{type: avg_pool3d, kernel: [1, 2, 3], stride: 2}", nn.AvgPool3d((1, 2, 3), 2)),
        ("{type: adaptive_avg_pool3d, out: [1, 2, 3]}", nn.AdaptiveAvgPool3d((1, 2, 3))),
        ("{type: upsample, factor: 2}", nn.Upsample(scale_factor=2)),
    ],
)
def test_a_layer_of_volumes_is_torchs(layer, reference):
    module, left = built(layer)
    assert type(module) is type(reference)
    x = torch.randn(3, *VOLUME, generator=torch.Generator().manual_seed(0))
    assert module(x).shape == (3, *left)
    torch.testing.assert_close(module(x), reference(x), atol=0, rtol=0)


def test_five_axes_are_refused():
    with pytest.raises(SpecError, match="one to four axes"):
        built("batch_norm", (2, 2, 2, 2, 2))


def test_a_network_of_volumes_is_probed(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text(
        """version: 1
model:
  input: {shape: [1, 8, 8, 8]}
  layers:
    - type: repeat
      times: 3
      name: block
      layers: [{type: conv3d, out: 16, kernel: 3, padding: 1, bias: false}, batch_norm, relu]
    - {type: max_pool3d, kernel: 2}
    - global_avg_pool
    - {type: linear, out: 3}
init: {default: kaiming_normal}
probe: {seeds: 2, max_seeds: 2, batch: 8}
"""
    )
    result = ip.probe(file)
    assert result.sites["block.2.batch_norm"].forward["rms"].mean == pytest.approx(1, abs=1e-3)
    # He's variance on rectified normal numbers; zeros beyond the border take a part of it.
    assert result.sites["block.2.conv3d"].forward["rms"].mean == pytest.approx(0.87, abs=0.12)
