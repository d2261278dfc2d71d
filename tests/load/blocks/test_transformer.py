import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.modules.attention import RelativeBias, rotated
from initprobe.load.schema import checked, read_spec

LENGTH, WIDTH = 6, 8


def planned(layer, shape=(LENGTH, WIDTH)):
    text = f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n    - {layer}\n"
    spec = read_spec("net.yaml", text=text)
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape)), memory=10**9)


def built(layer, shape=(LENGTH, WIDTH)):
    spec, found = planned(layer, shape)
    module = construct(spec, found, 0)[0]
    assert found.modules == 1 + len(list(module.modules()))
    assert found.parameters == count(module)
    return module


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def batch(*shape):
    return torch.randn(3, *(shape or (LENGTH, WIDTH)), generator=torch.Generator().manual_seed(1))


def close(left, right):
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal):
    module = built(f"{{type: attention, heads: 2, packed: true, causal: {str(causal).lower()}}}")
    other = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    own = module.state_dict()
    other.load_state_dict(
        {
            "in_proj_weight": own["query_key_value.weight"],
            "in_proj_bias": own["query_key_value.bias"],
            "out_proj.weight": own["out.weight"],
            "out_proj.bias": own["out.bias"],
        }
    )
    mask = nn.Transformer.generate_square_subsequent_mask(LENGTH) if causal else None
    x = batch()
    close(module(x), other(x, x, x, attn_mask=mask)[0])
    assert count(module) == 4 * (WIDTH * WIDTH + WIDTH)


@pytest.mark.parametrize("more", ["", ", kv_heads: 2", ", kv_heads: 1, causal: true, rotary: true", ", bias: false"])
def test_packed_and_separate_projections_are_one_function(more):
    apart = built(f"{{type: attention, heads: 4{more}}}")
    together = built(f"{{type: attention, heads: 4, packed: true{more}}}")
    with torch.no_grad():
        for kind in ("weight", "bias")[: 1 if "bias" in more else 2]:
            parts = [getattr(getattr(apart, name), kind) for name in ("query", "key", "value")]
            getattr(together.query_key_value, kind).copy_(torch.cat(parts))
            getattr(together.out, kind).copy_(getattr(apart.out, kind))
    assert count(apart) == count(together)
    close(apart(batch()), together(batch()))


def test_heads_of_keys_and_values_serve_groups():
    module = built("{type: attention, heads: 4, kv_heads: 2, head_width: 6, bias: false}")
    assert module.key.weight.shape == module.value.weight.shape == (12, WIDTH)
    assert module.query.weight.shape == (24, WIDTH)
    assert count(module) == 2 * 24 * WIDTH + 2 * 12 * WIDTH
    x = batch()
    query, key, value = (
        part(x).unflatten(-1, (-1, 6)).transpose(1, 2) for part in (module.query, module.key, module.value)
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    close(module(x), module.out(mixed.transpose(1, 2).flatten(2)))


@pytest.mark.parametrize(("given", "scale"), [("sqrt", 0.5), ("linear", 0.25), ("1.5", 1.5)])
def test_scores_are_scaled(given, scale):
    module = built(f"{{type: attention, heads: 2, scale: {given}}}")
    assert module.form.scale == scale
    x = batch()
    query, key, value = (part(x).unflatten(-1, (2, 4)).transpose(1, 2) for part in list(module.children())[:3])
    weights = (scale * query @ key.transpose(-1, -2)).softmax(-1)
    close(module(x), module.out((weights @ value).transpose(1, 2).flatten(2)))


def test_rotations_keep_lengths_and_know_distances_alone():
    one = torch.randn(1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(-1, -1, LENGTH, -1)
    two = torch.randn(1, 1, 1, 8, generator=torch.Generator().manual_seed(1)).expand(-1, -1, LENGTH, -1)
    close(rotated(one, 100.0).norm(dim=-1), one.norm(dim=-1))
    close(rotated(one, 100.0)[:, :, 0], one[:, :, 0])
    scores = (rotated(one, 100.0) @ rotated(two, 100.0).transpose(-1, -2))[0, 0]
    for distance in range(-LENGTH + 1, LENGTH):
        assert scores.diagonal(distance).std(correction=0) < 1e-5


@pytest.mark.parametrize("causal", [False, True])
def test_distances_fall_into_the_buckets_of_t5(causal):
    modeling = pytest.importorskip("transformers.models.t5.modeling_t5")
    distance = torch.arange(-300, 301)
    wanted = modeling.T5Attention._relative_position_bucket(distance, not causal, 32, 128)
    assert torch.equal(RelativeBias(32, 2, causal=causal, furthest=128).bucket(distance), wanted)


@pytest.mark.parametrize("kind", ["buckets", "table"])
@pytest.mark.parametrize("causal", [False, True])
def test_biases_by_distance_are_added_to_the_scores(kind, causal):
    module = built(f"{{type: attention, heads: 2, relative: {kind}, causal: {str(causal).lower()}}}")
    assert count(module) == 4 * (WIDTH * WIDTH + WIDTH) + 2 * (32 if kind == "buckets" else 2 * LENGTH - 1)
    biases = module.relative(LENGTH)
    for distance in range(-LENGTH + 1, 1 if causal else LENGTH):
        assert biases.diagonal(distance, 1, 2).std(-1, correction=0).max().item() == pytest.approx(0, abs=1e-6)
    x = batch()
    query, key, value = (part(x).unflatten(-1, (2, 4)).transpose(1, 2) for part in list(module.children())[:3])
    scores = query @ key.transpose(-1, -2) / 2 + biases
    if causal:
        scores = scores.masked_fill(torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1), -math.inf)
    close(module(x), module.out((scores.softmax(-1) @ value).transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_block_is_that_of_torch(norm):
    module = built(f"{{type: transformer, heads: 2, packed: true, norm: {norm}}}")
    other = nn.TransformerEncoderLayer(
        WIDTH, 2, 4 * WIDTH, 0.0, activation="gelu", batch_first=True, norm_first=norm == "pre"
    )
    places = {
        "self_attn.in_proj_": "attention.query_key_value.",
        "self_attn.out_proj.": "attention.out.",
        "linear1.": "feed_forward.up.",
        "linear2.": "feed_forward.down.",
        "norm1.": "norm1.",
        "norm2.": "norm2.",
    }
    own = module.state_dict()
    other.load_state_dict(
        {theirs + kind: own[ours + kind] for theirs, ours in places.items() for kind in ("weight", "bias")}
    )
    close(module(batch()), other(batch()))


def test_other_places_of_normalizations():
    x = batch()
    block = built("{type: transformer, heads: 2, norm: none}")
    y = x + block.attention(x)
    close(block(x), y + block.feed_forward(y))
    block = built("{type: transformer, heads: 2, norm: sandwich, normalization: rms}")
    y = x + block.norm1_out(block.attention(block.norm1(x)))
    close(block(x), y + block.norm2_out(block.feed_forward(block.norm2(y))))
    block = built("{type: transformer, heads: 2, norm: deepnorm, depth: 8}")
    y = block.norm1(2 * x + block.attention(x))
    close(block(x), block.norm2(2 * y + block.feed_forward(y)))
    assert built("{type: transformer, heads: 2, norm: deepnorm, alpha: 3}").wiring.alpha == 3


@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_parallel_branches_read_the_same_signal(norm):
    block = built(f"{{type: transformer, heads: 2, parallel: true, norm: {norm}}}")
    x = batch()
    inner = block.norm1(x) if norm == "pre" else x
    total = x + block.attention(inner) + block.feed_forward(inner)
    close(block(x), block.norm1(total) if norm == "post" else total)


def test_gates_multiply_branches():
    x = batch()
    close(built("{type: transformer, heads: 2, norm: none, gate: rezero}")(x), x)
    block = built("{type: transformer, heads: 2, gate: layerscale, gate_value: 0.5}")
    assert block.gate1.gamma.shape == (WIDTH,)
    y = x + block.attention(block.norm1(x)) / 2
    close(block(x), y + block.feed_forward(block.norm2(y)) / 2)


def test_dropout_ends_branches_while_training():
    block = built("{type: transformer, heads: 2, dropout: 1.0, attention_dropout: 0.5}")
    close(block(batch()), batch())
    assert not torch.equal(block.eval()(batch()), batch())


@pytest.mark.parametrize(("activation", "gate"), [("swiglu", "silu"), ("geglu", "gelu"), ("reglu", "relu")])
def test_gated_feed_forward(activation, gate):
    module = built(f"{{type: feed_forward, activation: {activation}, hidden: 12, bias: false}}")
    assert count(module) == 3 * 12 * WIDTH
    x = batch()
    close(module(x), module.down(getattr(functional, gate)(module.gate(x)) * module.up(x)))


def test_feed_forward_has_a_ratio():
    module = built("{type: feed_forward, ratio: 2.6, activation: tanh}", (WIDTH,))
    assert module.up.weight.shape == (20, WIDTH)
    assert count(module) == 2 * 20 * WIDTH + 20 + WIDTH
    x = batch(WIDTH)
    close(module(x), module.down(module.up(x).tanh()))


@pytest.mark.parametrize(
    ("layer", "said", "key"),
    [
        ("{type: attention, heads: 3}", "3 heads divide, here it is (6, 8)", "heads"),
        ("{type: attention, heads: 4, kv_heads: 3}", "3 heads of keys and values divide", "kv_heads"),
        ("{type: attention, heads: 8, rotary: true}", "a head has 1", "rotary"),
        ("{type: attention, heads: 2, relative: buckets, max_distance: 8}", "beyond 8", "max_distance"),
        ("{type: attention, heads: 2, scale: 0}", "'sqrt'", "scale"),
        ("{type: attention, heads: 0}", "from 1 up", "heads"),
        ("{type: feed_forward, ratio: 0.1}", "no hidden features", "ratio"),
        ("{type: feed_forward, activation: swigl}", "did you mean 'swiglu'?", "activation"),
        ("{type: transformer, heads: 2, norm: sandwich, parallel: true}", "parallel", "parallel"),
        ("{type: transformer, heads: 2, norm: deepnorm}", "'depth' or 'alpha'", "norm"),
        ("{type: transformer, heads: 2, depth: 3}", "no depth", "depth"),
        ("{type: transformer, heads: 2, gate_value: 0.1}", "no gates", "gate_value"),
    ],
)
def test_what_does_not_fit_is_told_at_its_option(layer, said, key):
    with pytest.raises(SpecError) as caught:
        planned(layer)
    text = caught.value.render()
    assert text.count("error[") == 1
    assert said in text
    columns = {7 + layer.index(f"{key}:"), 7 + layer.index(f"{key}:") + len(key) + 2}
    assert any(f"--> net.yaml:5:{column}" in text for column in columns), text


def test_images_are_no_tokens():
    for kind in ("attention", "transformer"):
        with pytest.raises(SpecError, match=r"needs an input of shape \(length, features\), here it is \(3, 4, 4\)"):
            planned(f"{{type: {kind}, heads: 2}}", (3, 4, 4))
