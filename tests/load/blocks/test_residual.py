"""Residual connections: what is added, what multiplies it, and the ResNets of torchvision."""

import pytest
import torch
from torch import nn

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.modules.skip import DropPath
from initprobe.load.schema import checked, read_spec


def built(*layers, shape=(8, 6, 6)):
    """The network, and the plan for it."""
    lines = "".join(f"    - {layer}\n" for layer in layers)
    spec = read_spec("f", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n{lines}")
    planned = plan(spec, checked(spec).model.layers, Signal(shape))
    return construct(spec, planned, 0), planned


def only(layer, shape=(8, 6, 6)):
    return built(layer, shape=shape)[0][0]


def batch(*shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))


def stages(block, widths, counts):
    """The stages of a ResNet for ImageNet: the first block of all but the first halves the size."""
    return [
        f"{{type: {block}, out: {width}, stride: {1 + (stage > 0 and number == 0)}}}"
        for stage, (width, count) in enumerate(zip(widths, counts, strict=True))
        for number in range(count)
    ]


def imagenet(block, widths, counts):
    return built(
        "{type: conv2d, out: 64, kernel: 7, stride: 2, padding: 3, bias: false}",
        "batch_norm",
        "relu",
        "{type: max_pool2d, kernel: 3, stride: 2, padding: 1}",
        *stages(block, widths, counts),
        "global_avg_pool",
        "{type: linear, out: 1000}",
        shape=(3, 64, 64),
    )


def same_weights(model, reference):
    """Copies the reference's tensors, in order; both hold them in the order of their use."""
    own, other = model.state_dict(), reference.state_dict()
    assert [tuple(one.shape) for one in own.values()] == [tuple(one.shape) for one in other.values()]
    model.load_state_dict(dict(zip(own, other.values(), strict=True)))


@pytest.mark.parametrize(
    ("name", "block", "widths", "counts", "parameters"),
    [
        ("resnet18", "basic_block", (64, 128, 256, 512), (2, 2, 2, 2), 11_689_512),
        ("resnet50", "bottleneck", (256, 512, 1024, 2048), (3, 4, 6, 3), 25_557_032),
    ],
)
def test_a_resnet_is_torchvisions(name, block, widths, counts, parameters):
    from torchvision.models import get_model

    model, planned = imagenet(block, widths, counts)
    reference = get_model(name)
    assert planned.parameters == parameters == sum(one.numel() for one in reference.parameters())
    same_weights(model, reference)
    x = batch(3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model.eval()(x), reference.eval()(x), atol=1e-5, rtol=1e-5)


def test_groups_and_width_make_a_resnext_block():
    from torchvision.models.resnet import Bottleneck

    model = only("{type: bottleneck, out: 256, width: 128, groups: 32}", (256, 5, 5))
    reference = Bottleneck(256, 64, groups=32, base_width=4)
    same_weights(model, reference)
    torch.testing.assert_close(model(batch(256, 5, 5)), reference(batch(256, 5, 5)), atol=1e-5, rtol=1e-5)


def test_a_block_before_its_activation():
    model = only("{type: basic_block, out: 8, pre_activation: true}")
    x = batch(8, 6, 6)
    branch = model.conv1(torch.relu(model.norm1(x)))
    torch.testing.assert_close(model(x), x + model.conv2(torch.relu(model.norm2(branch))))
    assert list(dict(model.named_children())) == [
        *("norm1", "activation1", "conv1", "norm2", "activation2", "conv2"),
    ]


def test_a_projection_takes_what_the_first_activation_made():
    model = only("{type: basic_block, out: 12, stride: 2, pre_activation: true}")
    x = batch(8, 6, 6)
    first = torch.relu(model.norm1(x))
    branch = model.conv2(torch.relu(model.norm2(model.conv1(first))))
    torch.testing.assert_close(model(x), model.shortcut(first) + branch)
    assert isinstance(model.shortcut, nn.Conv2d)


def test_a_shortcut_can_be_padded():
    model = only("{type: basic_block, out: 12, stride: 2, shortcut: pad}", (8, 5, 5))
    x = batch(8, 5, 5)
    skip = model.shortcut(x)
    torch.testing.assert_close(skip[:, 2:10], x[:, :, ::2, ::2])
    assert not skip[:, :2].any()
    assert not skip[:, 10:].any()
    assert model(x).shape == (4, 12, 3, 3)


def test_the_resnet_110_of_the_paper():
    parts = [
        f"{{type: basic_block, out: {width}, shortcut: pad, stride: {1 + (width > 16 and number == 0)}}}"
        for width in (16, 32, 64)
        for number in range(18)
    ]
    stem = ("{type: conv2d, out: 16, kernel: 3, padding: 1, bias: false}", "batch_norm", "relu")
    _, planned = built(*stem, *parts, "global_avg_pool", "{type: linear, out: 10}", shape=(3, 32, 32))
    assert planned.parameters == 1_727_962  # 1.7M in table 6 of He et al. 2015


@pytest.mark.parametrize(
    ("norm", "found"), [("group_norm", nn.GroupNorm), ("instance_norm", nn.InstanceNorm2d), ("none", type(None))]
)
def test_other_normalizations(norm, found):
    model = only(f"{{type: basic_block, out: 8, norm: {norm}}}")
    assert isinstance(getattr(model, "norm1", None), found)
    assert (model.conv1.bias is not None) == (norm == "none")
    assert only(f"{{type: basic_block, out: 8, norm: {norm}, bias: false}}").conv1.bias is None


@pytest.mark.parametrize(
    ("gate", "start"), [("rezero", 0.0), ("skipinit", 0.0), ("scalar", 1.0), ("{layerscale}", 1e-5)]
)
@pytest.mark.parametrize("shape", [(8,), (5, 8), (8, 6, 6)])
def test_a_gate_multiplies_the_branch(gate, start, shape):
    gate = gate.strip("{}")
    model = only(f"{{type: residual, gate: {gate}, layers: [tanh]}}", shape)
    (parameter,) = model.parameters()
    assert parameter.numel() == (8 if gate == "layerscale" else 1)
    assert torch.equal(parameter, torch.full_like(parameter, start))
    x = batch(*shape)
    with torch.no_grad():
        parameter.copy_(torch.arange(1, parameter.numel() + 1).view_as(parameter))
        numbers = parameter.flatten().view(-1, 1, 1) if len(shape) == 3 else parameter
        torch.testing.assert_close(model(x), x + numbers * x.tanh())
        assert model(x).shape == x.shape


def test_a_gate_counts_among_the_parameters():
    layer = "{type: residual, gate: layerscale, layers: [{type: linear, out: 8}]}"
    _, planned = built(f"{{type: repeat, times: 3, layers: [{layer}]}}", shape=(8,))
    assert planned.parameters == 3 * (8 * 8 + 8 + 8)


def test_where_a_gate_starts():
    model = only("{type: bottleneck, out: 8, gate: layerscale, gate_value: 0.1}")
    assert torch.equal(model.gate.gamma, torch.full((8, 1, 1), 0.1))


def test_scale_and_activation():
    x = batch(8)
    model = only("{type: residual, scale: 0.5, activation: relu, layers: [tanh]}", (8,))
    torch.testing.assert_close(model(x), torch.relu(x + 0.5 * x.tanh()))


def test_drop_path_drops_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    path = DropPath(0.25)
    x = torch.ones(4000, 3, 2)
    y = path(x)
    assert y.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(y, y[:, :1, :1].expand_as(y))
    assert y.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(path.eval()(x), x)


def test_a_dropped_branch_leaves_the_skip_path():
    model = only("{type: residual, drop_path: 1, layers: [tanh]}", (8,))
    x = batch(8)
    assert torch.equal(model(x), x)
    torch.testing.assert_close(model.eval()(x), x + x.tanh())


@pytest.mark.parametrize(
    ("layer", "said", "where"),
    [
        ("{type: basic_block, out: 4, shortcut: pad}", "cannot pad 8 channels to 4", "shortcut"),
        ("{type: bottleneck, out: 8, width: 6, groups: 4}", "4 groups divide", "groups"),
        ("{type: residual, gate_value: 1.0, layers: [relu]}", "no gate", "gate_value"),
        ("{type: residual, gate: half, layers: [relu]}", "gate", "gate"),
        ("{type: residual, activation: glu, layers: [relu]}", "activation", "activation"),
        ("{type: basic_block, out: 8, drop_path: 2}", "from 0 to 1", "drop_path"),
        ("{type: residual, layers: [{type: basic_block, out: 4}]}", "cannot add", None),
        ("{type: basic_block, out: 8, norm: layer}", "norm", "norm"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_line(layer, said, where):
    with pytest.raises(SpecError, match=said) as caught:
        only(layer)
    (problem,) = caught.value.problems
    assert where is None or problem.path[-1] == where
    assert "f:5:" in caught.value.render()


def test_images_only():
    with pytest.raises(SpecError, match=r"\(channels, height, width\), here it is \(8,\)"):
        only("{type: basic_block, out: 8}", (8,))
