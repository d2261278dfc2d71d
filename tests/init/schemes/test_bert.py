"""BERT: a normal that is cut off, and not widened again."""

import math

import pytest
import torch

import initprobe as ip

TOKENS = "int64[6]<50"


def test_everything_has_the_width_of_the_cut_normal(transformer):
    model = transformer(2, 64, 4, "post", vocabulary=50, classes=50, positions=9)
    outcome = ip.initialize(model, "bert", inputs=TOKENS)
    for one in outcome.drawn:
        values = model.get_parameter(one.weight).detach()
        if one.weight.endswith("bias"):
            assert values.eq(0).all()
            continue
        assert one.std == pytest.approx(0.0175925132, rel=1e-8)
        assert values.abs().max() <= 0.04
        assert float(values.std()) == pytest.approx(one.std, rel=4 / math.sqrt(2 * values.numel()))


def test_ports_draw_the_plain_normal(transformer):
    model = transformer(2, 64, 4, "post")
    outcome = ip.initialize(model, "bert(truncated=False)", inputs=(5, 64))
    assert {one.std for one in outcome.drawn} == {0.0, 0.02}
    assert model.blocks[0].up.weight.abs().max() > 0.06


def test_it_is_tensorflows_truncated_normal(transformer, same_law):
    keras = pytest.importorskip("keras")
    model = transformer(1, 64, 4, "post")
    ip.initialize(model, "bert", inputs=(5, 64))
    theirs = keras.initializers.TruncatedNormal(stddev=0.02, seed=3)((256, 64))
    assert same_law(model.blocks[0].up.weight, torch.as_tensor(theirs))


def test_it_is_the_draw_of_transformers(same_law):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256, vocab_size=96,
        max_position_embeddings=64, pad_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs, ours = transformers.BertModel(config), transformers.BertModel(config)
    ip.initialize(ours, "bert(truncated=False)", inputs="input_ids=int64[12]<96")
    for name, parameter in theirs.named_parameters():
        if parameter.dim() > 1:
            assert same_law(ours.get_parameter(name), parameter), name
        else:
            assert torch.equal(ours.get_parameter(name), parameter), name
