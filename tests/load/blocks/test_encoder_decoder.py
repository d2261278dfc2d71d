"""Encoder-decoder networks, against torch's own with copied weights."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.errors import SpecError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.modules.attention import AttentionForm
from initprobe.load.modules.decoder import CrossAttention
from initprobe.load.schema import checked, read_spec
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

SOURCE, TARGET, WIDTH = 5, 4, 8
HEADS = "heads: 2, activation: relu, packed: true"


def pair(decoder, encoder="{type: linear, out: 8}", source=SOURCE):
    return f"{{type: encoder_decoder, source: {source}, encoder: [{encoder}], decoder: [{decoder}]}}"


def planned(*layers, shape=(SOURCE + TARGET, WIDTH)):
    lines = "\n".join(f"    - {layer}" for layer in layers)
    spec = read_spec("net.yaml", text=f"version: 1\nmodel:\n  input: {{shape: {list(shape)}}}\n  layers:\n{lines}\n")
    return spec, plan(spec, checked(spec).model.layers, Signal(tuple(shape)), memory=10**9)


def built(*layers, **kwargs):
    spec, found = planned(*layers, **kwargs)
    model = construct(spec, found, 0)
    assert found.modules == 1 + len(list(model.modules())) - 1
    return model


def batch(*shape, seed=1):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed))


def close(left, right):
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


def copy_attention(own, other):
    other.out_proj.load_state_dict(own.out.state_dict())
    state = own.state_dict()
    with torch.no_grad():
        for kind in ("weight", "bias"):
            packed = state.get(f"query_key_value.{kind}")
            apart = (
                torch.cat([state[f"{name}.{kind}"] for name in ("query", "key", "value")]) if packed is None else packed
            )
            getattr(other, f"in_proj_{kind}").copy_(apart)


def copy_layer(own, other, norms):
    """The weights of one of our blocks into one of torch's."""
    copy_attention(own.attention, other.self_attn)
    if hasattr(own, "cross_attention"):
        copy_attention(own.cross_attention, other.multihead_attn)
    other.linear1.load_state_dict(own.feed_forward.up.state_dict())
    other.linear2.load_state_dict(own.feed_forward.down.state_dict())
    for name in norms:
        getattr(other, name).load_state_dict(getattr(own, name).state_dict())


def stir(model):
    """Weights away from what they start at, or a swapped normalization would go unnoticed."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_decoder_block_is_that_of_torch(norm):
    model = built(pair(f"{{type: transformer_decoder, {HEADS}, norm: {norm}}}"))[0]
    stir(model)
    reference = nn.TransformerDecoderLayer(WIDTH, 2, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=norm == "pre")
    copy_layer(model.decoder[0], reference, ("norm1", "norm2", "norm3"))
    assert sum(one.numel() for one in model.decoder.parameters()) == sum(one.numel() for one in reference.parameters())
    x = batch(SOURCE + TARGET, WIDTH)
    mask = nn.Transformer.generate_square_subsequent_mask(TARGET)
    close(model(x), reference(x[:, SOURCE:], model.encoder(x[:, :SOURCE]), tgt_mask=mask, tgt_is_causal=True))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_whole_transformer_is_that_of_torch(norm):
    encoder = f"{{type: repeat, times: 2, layers: [{{type: transformer, {HEADS}, norm: {norm}}}]}}, layer_norm"
    decoder = f"{{type: repeat, times: 2, layers: [{{type: transformer_decoder, {HEADS}, norm: {norm}}}]}}, layer_norm"
    model = built(pair(decoder, encoder))[0]
    stir(model)
    with pytest.warns(UserWarning, match="nested_tensor") if norm == "pre" else nullcontext():
        reference = nn.Transformer(WIDTH, 2, 2, 2, 4 * WIDTH, 0.0, batch_first=True, norm_first=norm == "pre")
    for own, other, norms in (
        (model.encoder, reference.encoder, ("norm1", "norm2")),
        (model.decoder, reference.decoder, ("norm1", "norm2", "norm3")),
    ):
        for repetition, layer in zip(own[0], other.layers, strict=True):
            copy_layer(repetition[0], layer, norms)
        other.norm.load_state_dict(own[1].state_dict())
    x = batch(SOURCE + TARGET, WIDTH)
    mask = nn.Transformer.generate_square_subsequent_mask(TARGET)
    close(model(x), reference(x[:, :SOURCE], x[:, SOURCE:], tgt_mask=mask, tgt_is_causal=True))


def test_cross_attention_is_that_of_torch_where_the_encoder_has_another_width():
    model = built(pair("{type: cross_attention, heads: 2}", "{type: linear, out: 6}"))[0]
    own = model.decoder[0]
    other = nn.MultiheadAttention(WIDTH, 2, kdim=6, vdim=6, batch_first=True)
    with torch.no_grad():
        for name in ("query", "key", "value"):
            getattr(other, f"{name[0]}_proj_weight").copy_(getattr(own, name).weight)
        other.in_proj_bias.copy_(torch.cat([getattr(own, name).bias for name in ("query", "key", "value")]))
    other.out_proj.load_state_dict(own.out.state_dict())
    x = batch(SOURCE + TARGET, WIDTH)
    memory = model.encoder(x[:, :SOURCE])
    close(model(x), other(x[:, SOURCE:], memory, memory)[0])


def test_every_decoder_reads_its_own_encoder():
    inner = "{type: cross_attention, heads: 2}"
    nested = pair(inner, "{type: linear, out: 4}", source=2)
    model = built(pair(f"{inner}, {nested}"))[0]
    outer, within = model.decoder[0], model.decoder[1].decoder[0]
    assert outer.key.in_features == WIDTH
    assert within.key.in_features == 4
    assert model(batch(SOURCE + TARGET, WIDTH)).shape == (3, TARGET - 2, WIDTH)
    assert outer.memory is within.memory is None


def test_what_was_lent_is_given_back_when_the_decoder_fails():
    model = built(pair("{type: cross_attention, heads: 2}"))[0]

    def fail(*_):
        raise ArithmeticError

    model.decoder[0].register_forward_hook(fail)
    with pytest.raises(ArithmeticError):
        model(batch(SOURCE + TARGET, WIDTH))
    assert model.decoder[0].memory is None
    with pytest.raises(RuntimeError, match="none has lent it anything"):
        CrossAttention(8, AttentionForm(2, 2, 4, 0.5), 8)(batch(3, 8))


@pytest.mark.parametrize("depth", [1, 6])
def test_deepnorm_of_a_decoder(depth):
    model = built(pair(f"{{type: transformer_decoder, heads: 2, norm: deepnorm, depth: {depth}}}"))[0]
    assert model.decoder[0].wiring.alpha == pytest.approx((3 * depth) ** 0.25)


@pytest.mark.parametrize(
    ("layer", "words", "at"),
    [
        ("{type: cross_attention, heads: 2}", "reads what an encoder made, and there is none here", "{type: cross"),
        ("{type: transformer_decoder, heads: 2}", "transformer_decoder reads what an encoder made", "{type: trans"),
        (pair("{type: relu}"), "an encoder that nothing in its decoder reads", "[{type: relu"),
        (
            pair(pair("{type: cross_attention, heads: 2}", source=1)),
            "that nothing in its decoder reads",
            "[{type: encoder",
        ),
        (pair("{type: relu}", source=9), "leaves no token for the decoder: there are 9 in all", "9, enc"),
        (
            pair("{type: relu}", "flatten"),
            "an encoder that ends with (length, features), here it ends with (40,)",
            "[flat",
        ),
        (pair("{type: cross_attention, heads: 3}"), "needs features that 3 heads divide", "3}"),
        (pair("relu", "{type: cross_attention, heads: 2}"), "there is none here", "{type: cross"),
    ],
)
def test_mistakes_are_told_at_their_node(layer, words, at):
    with pytest.raises(SpecError) as caught:
        planned(layer)
    (problem,) = caught.value.problems
    assert words in problem.message
    assert caught.value.spec.locate(problem.path).column == 7 + layer.index(at)


def test_one_stream_for_each_side_and_three_branches_a_block(tmp_path):
    file = tmp_path / "net.yaml"
    block = "{type: transformer_decoder, heads: 2, gate: rezero}"
    file.write_text(
        "version: 1\nmodel:\n  input: {shape: [9], dist: tokens, vocab: 11}\n  layers:\n    - {type: embedding, out: 8}\n"
        f"    - {pair(block, '{type: transformer, heads: 2}')}\n    - tied_head\n"
    )
    found = trace_anatomy(open_target(TargetRequest(str(file))).build(0, ProbeRequest())).anatomy
    inside = "encoder_decoder.decoder.transformer_decoder."
    assert [branch.tails for branch in found.branches if branch.tails[0].startswith(inside)] == [
        (f"{inside}{tail}.weight",) for tail in ("attention.out", "cross_attention.out", "feed_forward.down")
    ]
    assert [branch.gate for branch in found.branches if branch.tails[0].startswith(inside)] == [
        f"{inside}gate{number}.gamma" for number in (1, 2, 3)
    ]
    known = {weight.module: weight.attention for weight in found.weights if ".cross_attention." in weight.name}
    assert {path.rpartition(".")[2]: name for path, name in known.items()} == {
        name: name for name in ("query", "key", "value", "out")
    }
