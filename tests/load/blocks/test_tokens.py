import math

import pytest
import torch

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec


def planned(layers, shape):
    text = f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layers}\n"
    spec = read_spec("net.yaml", text=text)
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape)), memory=10**9)


def built(layer, shape):
    spec, found = planned(layer, shape)
    module = construct(spec, found, 0)[0]
    assert found.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert module(torch.zeros(2, *shape)).shape[1:] == found.output.shape
    return module


def test_patches_are_taken_row_by_row():
    module = built("{type: patch_embedding, patch: [2, 3], out: 5}", (3, 4, 9))
    image = torch.randn(2, 3, 4, 9, generator=torch.Generator().manual_seed(0))
    tokens = module(image)
    assert tokens.shape == (2, 6, 5)
    patch = image[:, :, 2:4, 3:6].flatten(1)
    wanted = patch @ module.projection.weight.flatten(1).T + module.projection.bias
    torch.testing.assert_close(tokens[:, 4], wanted, atol=1e-5, rtol=1e-5)


def test_a_class_token_stands_in_front():
    module = built("class_token", (4, 3))
    x = torch.randn(2, 4, 3)
    module.class_token.data.fill_(7)
    assert torch.equal(module(x)[:, 1:], x)
    assert torch.equal(module(x)[:, 0], torch.full((2, 3), 7.0))


def test_positions_are_added():
    module = built("positions", (4, 3))
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(module(x), x + module.position)
    assert module.position.shape == (4, 3)
    assert 0.005 < module.position.std() < 0.04


def test_waves_are_those_of_the_paper():
    module = built("{type: positions, kind: sinusoidal}", (20, 5))
    assert not list(module.parameters())
    assert not module.state_dict()
    waves = module(torch.zeros(1, 20, 5))[0]
    for place in (0, 7, 19):
        for feature in range(5):
            wave = math.sin if feature % 2 == 0 else math.cos
            wanted = wave(place / 10000 ** ((feature - feature % 2) / 5))
            assert waves[place, feature].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("take", "chosen"), [("first", lambda x: x[:, 0]), ("last", lambda x: x[:, -1]), ("mean", lambda x: x.mean(1))]
)
def test_one_vector_is_made_of_all_tokens(take, chosen):
    x = torch.randn(2, 4, 3)
    torch.testing.assert_close(built(f"{{type: token_pool, take: {take}}}", (4, 3))(x), chosen(x))


@pytest.mark.parametrize(
    ("layer", "shape", "said", "column"),
    [
        ("{type: patch_embedding, patch: 3, out: 4}", (3, 4, 9), "patches of (3, 3) tile, here it is (3, 4, 9)", 38),
        ("{type: patch_embedding, patch: [2, 2, 2], out: 4}", (3, 4, 8), "'patch' has 3 numbers", 38),
        ("{type: patch_embedding, patch: 2, out: 4}", (4, 8), "(channels, height, width), here it is (4, 8)", 7),
        ("{type: positions, kind: cosine}", (4, 8), "'sinusoidal'", 31),
        ("{type: token_pool, take: second}", (4, 8), "'first'", 32),
        ("{type: class_token}", (8,), "(length, features), here it is (8,)", 7),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(layer, shape, said, column):
    with pytest.raises(SpecError) as caught:
        planned(layer, shape)
    text = caught.value.render()
    assert text.count("error[") == 1
    assert said in text
    assert f"--> net.yaml:5:{column}\n" in text
