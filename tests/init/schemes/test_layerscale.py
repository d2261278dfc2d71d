"""LayerScale: a small multiple of each branch, by the depth."""

import pytest
import torch
from torch import nn

import initprobe as ip
from tests.init.schemes.residual_networks import Branch, Chain, Scale

WIDTH = 12


def scaled(depth: int) -> Chain:
    return Chain(WIDTH, [Branch(WIDTH, end=lambda: Scale(WIDTH)) for _ in range(depth)])


@pytest.mark.parametrize(("depth", "value"), [(1, 0.1), (18, 0.1), (19, 1e-5), (24, 1e-5), (25, 1e-6), (48, 1e-6)])
def test_the_value_follows_the_depth(depth, value):
    model = scaled(depth)
    outcome = ip.initialize(model, "layerscale", inputs=(WIDTH,))
    for block in model.blocks:
        torch.testing.assert_close(block.end.alpha.detach(), torch.full((WIDTH,), value))
    assert f"{depth} layers were counted" in outcome.notes[0]


def test_a_branch_adds_that_multiple_of_its_function():
    model = scaled(6).double()
    ip.initialize(model, "layerscale(value=0.01, std=0.5)", inputs=(WIDTH,))
    stream = model.features(torch.randn(5, WIDTH).double())
    for block, before, after in zip(model.blocks, stream, stream[1:], strict=False):
        ratio = (after - before).square().mean().sqrt() / block.function(before).square().mean().sqrt()
        assert float(ratio.detach()) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("depth", [8, 32])
def test_the_jacobian_is_the_identity_up_to_depth_times_the_value(depth):
    distances = []
    for value in (1e-3, 1e-4):
        model = scaled(depth).double()
        ip.initialize(model, f"layerscale(value={value}, std=0.3)", inputs=(WIDTH,))
        x = torch.randn(WIDTH, generator=torch.Generator().manual_seed(1)).double()
        jacobian = torch.autograd.functional.jacobian(nn.Sequential(*model.blocks), x)
        distances.append(float(torch.linalg.matrix_norm(jacobian - torch.eye(WIDTH), 2)))
        assert distances[-1] < 2 * depth * value
    assert distances[0] / distances[1] == pytest.approx(10, rel=0.1)


def test_what_else_there_is_gets_the_papers_std():
    model = nn.Sequential(nn.Embedding(300, 64), *(Branch(64, end=lambda: Scale(64)) for _ in range(2)))
    outcome = ip.initialize(model, "layerscale", inputs=torch.arange(12).reshape(2, 6))
    assert {one.std for one in outcome.drawn if one.weight.endswith("weight")} == {0.02}
    assert float(model[0].weight.detach().std()) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    ("name", "layers", "value"),
    [("cait_xxs24_224", 24, 1e-5), pytest.param("cait_xxs36_224", 36, 1e-6, marks=pytest.mark.slow)],
)
def test_layers_on_the_class_token_do_not_count(name, layers, value):
    timm = pytest.importorskip("timm")
    model = timm.create_model(name, embed_dim=16, num_heads=2, mlp_ratio=1)
    outcome = ip.initialize(model, "layerscale", inputs=(3, 224, 224))
    assert f"layerscale: {layers} layers were counted, so the scales are {value:g}" in outcome.notes
    assert float(model.blocks[0].gamma_1[0].detach()) == pytest.approx(value)


def test_attention_and_its_feed_forward_branch_are_one_layer():
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", embed_dim=16, num_heads=2, depth=10, init_values=1.0)
    outcome = ip.initialize(model, "layerscale", inputs=(3, 224, 224))
    assert "layerscale: 10 layers were counted, so the scales are 0.1" in outcome.notes
