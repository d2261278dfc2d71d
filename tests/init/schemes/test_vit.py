"""Vision transformers as their authors, timm and MoCo v3 draw them."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip

IMAGE = (3, 16, 16)


def stds(outcome):
    return {one.weight: one.std for one in outcome.drawn}


def timm_vit(mode=""):
    timm = pytest.importorskip("timm")
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=16, patch_size=4, embed_dim=96, depth=2, num_heads=4, num_classes=7
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model.init_weights(mode)
    return model


class TestJax:
    def test_logits_are_zero_and_the_loss_is_that_of_guessing(self, vision):
        model = vision(2, 64, 4, 10)
        ip.initialize(model, "vit_jax", inputs=IMAGE)
        logits = model(torch.randn(8, *IMAGE))
        assert logits.eq(0).all()
        loss = nn.functional.cross_entropy(logits, torch.arange(8))
        assert float(loss.detach()) == pytest.approx(math.log(10))

    def test_only_the_classifier_gets_a_gradient_at_first(self, vision):
        model = vision(2, 64, 4, 10)
        ip.initialize(model, "vit_jax", inputs=IMAGE)
        nn.functional.cross_entropy(model(torch.randn(8, *IMAGE)), torch.arange(8)).backward()
        reached = {name for name, one in model.named_parameters() if one.grad is not None and one.grad.any()}
        assert reached == {"head.weight", "head.bias"}

    def test_a_sum_of_sigmoids_starts_as_if_one_class_were_there(self, vision):
        model = vision(1, 32, 4, 10)
        ip.initialize(model, "vit_jax(head_bias=negative_log)", inputs=IMAGE)
        torch.testing.assert_close(model.head.bias, torch.full((10,), -math.log(10)))
        outcome = ip.initialize(model, "vit_jax(head_bias=-3.0)", inputs=IMAGE)
        assert model.head.bias.eq(-3.0).all()
        assert stds(outcome)["head.bias"] == 0.0

    def test_the_parts(self, vision):
        model = vision(2, 64, 4, 10)
        found = stds(ip.initialize(model, "vit_jax", inputs=IMAGE))
        assert found["patch.weight"] == pytest.approx(1 / math.sqrt(48))
        assert found["pos_embed"] == 0.02
        assert model.cls_token.eq(0).all()
        assert found["blocks.0.attention.qkv.weight"] == pytest.approx(1 / 8)
        assert found["blocks.0.up.weight"] == pytest.approx(math.sqrt(2 / (64 + 256)))
        assert found["blocks.0.up.bias"] == found["blocks.1.down.bias"] == 1e-6
        assert float(model.blocks[0].up.bias.detach().std()) == pytest.approx(1e-6, rel=0.2)
        assert model.blocks[0].attention.qkv.bias.eq(0).all()
        assert model.blocks[0].attention.out.bias.eq(0).all()

    def test_it_is_timms_port_but_for_the_packed_matrix(self, same_law):
        theirs, ours = timm_vit("jax"), timm_vit()
        ip.initialize(ours, "vit_jax", inputs=IMAGE)
        for name, parameter in theirs.named_parameters():
            if name in ("cls_token", "pos_embed") or "qkv.weight" in name:
                continue
            assert same_law(ours.get_parameter(name), parameter) or torch.equal(ours.get_parameter(name), parameter), (
                name
            )
        packed = [model.blocks[0].attn.qkv.weight.detach() for model in (ours, theirs)]
        assert float(packed[0].var() / packed[1].var()) == pytest.approx(2.0, rel=0.05)

    def test_a_pooler_is_no_classifier(self):
        transformers = pytest.importorskip("transformers")
        config = transformers.ViTConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=4,
            intermediate_size=64,
            image_size=16,
            patch_size=4,
        )
        model = transformers.ViTModel(config)
        found = stds(ip.initialize(model, "vit_jax", inputs=IMAGE))
        assert found["pooler.dense.weight"] == pytest.approx(1 / math.sqrt(32))
        assert model.embeddings.cls_token.eq(0).all()


class TestTimm:
    def test_it_is_timms(self, same_law):
        theirs, ours = timm_vit(), timm_vit("moco")
        ip.initialize(ours, "vit_timm", inputs=IMAGE)
        for name, parameter in theirs.named_parameters():
            mine = ours.get_parameter(name)
            assert same_law(mine, parameter) or torch.equal(mine, parameter), name

    def test_the_parts(self, vision):
        found = stds(ip.initialize(vision(1, 64, 4, 10), "vit_timm(std=0.03)", inputs=IMAGE))
        assert found["patch.weight"] == found["patch.bias"] == pytest.approx(1 / math.sqrt(3 * 48))
        assert found["head.weight"] == found["pos_embed"] == found["blocks.0.up.weight"] == 0.03
        assert found["cls_token"] == 1e-6
        assert found["head.bias"] == found["blocks.0.attention.qkv.bias"] == 0.0


class TestMoco:
    def test_query_key_and_value_are_xavier_each(self, vision):
        model = vision(1, 96, 4, 10)
        found = stds(ip.initialize(model, "vit_moco", inputs=IMAGE))
        for part in model.blocks[0].attention.qkv.weight.detach().chunk(3):
            assert float(part.var()) == pytest.approx(1 / 96, rel=4 * math.sqrt(0.8 / part.numel()))
            assert part.abs().max() <= math.sqrt(3 / 96)
        assert found["patch.weight"] == pytest.approx(math.sqrt(2 / (3 * 16 + 96)))

    def test_it_is_timms(self, same_law):
        theirs, ours = timm_vit("moco"), timm_vit()
        ip.initialize(ours, "vit_moco", inputs=IMAGE)
        for name, parameter in theirs.named_parameters():
            if "patch_embed" in name or name == "pos_embed":
                continue
            mine = ours.get_parameter(name)
            assert same_law(mine, parameter) or torch.equal(mine, parameter), name

    def test_positions_are_waves_and_nothing_for_the_class_token(self, vision):
        model = vision(1, 64, 4, 10)
        outcome = ip.initialize(model, "vit_moco", inputs=IMAGE)
        assert {one.note for one in outcome.drawn if one.weight == "pos_embed"} == {
            "its first 1 rows are no patches: zero"
        }
        table = model.pos_embed.detach()[0]
        assert table[0].eq(0).all()
        down, across, wave = 2, 3, 5
        row = table[1 + 4 * down + across].unflatten(0, (4, 16))
        angle = 10000 ** (-wave / 16)
        expected = [math.sin(down * angle), math.cos(down * angle), math.sin(across * angle), math.cos(across * angle)]
        torch.testing.assert_close(row[:, wave], torch.tensor(expected))

    def test_positions_that_are_no_grid_are_told(self, transformer):
        model = transformer(1, 32, 4, vocabulary=50, positions=15)
        outcome = ip.initialize(model, "vit_moco", inputs="int64[6]<50")
        assert [one.reason for one in outcome.skipped if one.weight == "wpe.weight"] == [
            "15 positions are no square of patches"
        ]
