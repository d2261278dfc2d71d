"""SmallInit, and Wang's ends of branches."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError

TOKENS = "int64[6]<50"


def stds(outcome):
    return {one.weight: one.std for one in outcome.drawn if not one.weight.endswith("bias")}


@pytest.mark.parametrize("packed", [True, False, "torch"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_every_matrix_has_the_variance_of_a_feed_forward_one(transformer, norm, packed):
    model = transformer(2, 40, 4, norm, packed, vocabulary=50, classes=50, positions=9)
    found = stds(ip.initialize(model, "small_init", inputs=TOKENS))
    assert {round(std, 12) for std in found.values()} == {round(math.sqrt(2 / (5 * 40)), 12)}
    xavier = stds(ip.initialize(model, "xavier", inputs=TOKENS))
    assert found["blocks.0.up.weight"] == pytest.approx(xavier["blocks.0.up.weight"])


def test_scores_have_four_twenty_fifths_of_xaviers_variance(transformer):
    # A query and a key of unit-variance inputs have variance 2/5 each.
    variances = {}
    for scheme in ("small_init", "xavier"):
        model = transformer(1, 128, 4, packed=False)
        ip.initialize(model, scheme, inputs=(5, 128))
        x = torch.randn(512, 128, generator=torch.Generator().manual_seed(0))
        attention = model.blocks[0].attention
        query, key = (layer(x).unflatten(-1, (4, 32)) for layer in (attention.query, attention.key))
        scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(32)
        variances[scheme] = float(scores.detach().var())
    assert variances["small_init"] == pytest.approx(0.16, rel=0.1)
    assert variances["xavier"] == pytest.approx(1.0, rel=0.1)


def test_the_width_can_be_said(transformer):
    found = stds(ip.initialize(transformer(1, 32, 4), "small_init(width=10)", inputs=(5, 32)))
    assert set(found.values()) == {math.sqrt(2 / 50)}
    plain = stds(ip.initialize(nn.Linear(8, 8), "small_init(width=10)", inputs=(8,)))
    assert set(plain.values()) == {math.sqrt(2 / 50)}


@pytest.mark.parametrize("name", ["small_init", "wang_init"])
def test_a_network_without_a_stream_is_told(name):
    with pytest.raises(UsageError, match="residual"):
        ip.initialize(nn.Sequential(nn.Linear(8, 8)), name, inputs=(8,))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_wang_divides_by_layers_and_leaves_the_rest_to_small_init(transformer, norm):
    model = transformer(5, 32, 4, norm, vocabulary=50)
    found = stds(ip.initialize(model, "wang_init", inputs=TOKENS))
    for name, std in found.items():
        end = name.endswith(("out.weight", "down.weight"))
        assert std == pytest.approx(2 / (5 * math.sqrt(32)) if end else math.sqrt(2 / (5 * 32))), name


def test_layers_can_be_said(transformer):
    found = stds(ip.initialize(transformer(2, 32, 4), "gpt_neox(layers=8, width=16)", inputs=(5, 32)))
    assert found["blocks.1.down.weight"] == pytest.approx(2 / (8 * 4))
    assert found["blocks.1.up.weight"] == pytest.approx(math.sqrt(2 / 80))


def test_what_wang_adds_to_the_stream_falls_with_depth(added):
    # 2L branches of variance 1 / L² each; measured: 0.129.
    assert added("wang_init", 48) / added("wang_init", 6) == pytest.approx(1 / 8, rel=0.15)


def test_it_is_gpt_neoxs(same_law):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPTNeoXConfig(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=256, vocab_size=96
    )
    model = transformers.GPTNeoXForCausalLM(config)
    found = stds(ip.initialize(model, "wang_init", inputs="input_ids=int64[12]<96"))
    for name, std in found.items():
        ends = name.endswith(("attention.dense.weight", "dense_4h_to_h.weight"))
        assert std == pytest.approx(2 / 3 / math.sqrt(64) if ends else math.sqrt(2 / (5 * 64))), name
