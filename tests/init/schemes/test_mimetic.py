"""Mimetic: products of matrices that look like the identity."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.variates import Variates


def matrices(block, width):
    """Query, key, value and out of an attention, whatever it keeps them in."""
    attention = getattr(block.attention, "inner", block.attention)
    if isinstance(attention, nn.MultiheadAttention):
        return *attention.in_proj_weight.detach().double().chunk(3), attention.out_proj.weight.detach().double()
    if hasattr(attention, "qkv"):
        return *attention.qkv.weight.detach().double().chunk(3), attention.out.weight.detach().double()
    layers = (attention.query, attention.key, attention.value, attention.out)
    return tuple(layer.weight.detach().double() for layer in layers)


def reasons(outcome, ending):
    return {one.reason for one in outcome.skipped if one.weight.endswith(ending)}


@pytest.mark.parametrize("packed", [True, False, "torch"])
@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_one_head_of_full_rank_makes_the_wanted_product(transformer, norm, packed):
    width = 96
    model = transformer(2, width, 1, norm, packed)
    ip.initialize(model, "mimetic", inputs=(5, width))
    for block in model.blocks:
        query, key, value, out = matrices(block, width)
        eye = torch.eye(width, dtype=torch.float64)
        for product, noise, identity in ((query.T @ key, 0.7, 0.7), (value.T @ out.T, 0.4, -0.4)):
            # The trace of Z / d has the standard deviation 1 / d.
            assert float(product.trace()) / width == pytest.approx(identity, abs=4 * noise / width)
            rest = product - identity * eye
            assert float(rest.std()) == pytest.approx(noise / math.sqrt(width), rel=4 / math.sqrt(2 * width**2))


def test_a_third_of_the_rank_keeps_the_larger_part_of_the_trace(transformer):
    # The field's number for d / k = 3, from the code of others: 0.395.
    model = transformer(1, 192, 3)
    ip.initialize(model, "mimetic", inputs=(5, 192))
    query, key, value, out = matrices(model.blocks[0], 192)
    traces = [float((q.T @ k).trace()) / 192 for q, k in zip(query.chunk(3), key.chunk(3), strict=True)]
    assert traces == pytest.approx([0.395] * 3, abs=0.015)
    assert float((value.T @ out.T).trace()) / 192 == pytest.approx(-0.4, abs=0.01)


def test_every_head_is_the_best_of_its_rank(transformer):
    model = transformer(1, 48, 3, packed=False)
    ip.initialize(model, "mimetic", inputs=(5, 48), seed=4)
    query, key, _, _ = matrices(model.blocks[0], 48)
    for head in range(3):
        noise = Variates(4, f"blocks.0.attention.query.weight@query_key.{head}").normal((48, 48)).double()
        wanted = 0.7 * noise / math.sqrt(48) + 0.7 * torch.eye(48, dtype=torch.float64)
        u, s, vh = torch.linalg.svd(wanted)
        best = u[:, :16] @ s[:16].diag() @ vh[:16]
        product = query.chunk(3)[head].T @ key.chunk(3)[head]
        torch.testing.assert_close(product, best, atol=1e-6, rtol=0)


def test_tokens_attend_to_themselves_and_their_own_value_is_taken_away(transformer):
    model = transformer(1, 64, 1, packed=False)
    ip.initialize(model, "mimetic", inputs=(32, 64))
    attention = model.blocks[0].attention
    x = torch.randn(16, 32, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = attention.query(x) @ attention.key(x).mT / 8
        diagonal = scores.softmax(-1).diagonal(dim1=-2, dim2=-1).mean()
        passed = attention.out(attention.value(x))
    # Scores are 0.7 · 64 / √64 = 5.6 on the diagonal, 0 ± 0.99 on 31 other places: 0.84 without the spread around 5.6.
    assert 0.7 < float(diagonal) < 0.84
    assert float((passed * x).mean()) == pytest.approx(-0.4, abs=0.03)


def test_uniform_noise_and_other_shares(transformer):
    model = transformer(1, 64, 1)
    options = "distribution=uniform, query_noise=0.2, query_identity=0.9, value_identity=-0.5, value_noise=0.0"
    ip.initialize(model, f"mimetic({options})", inputs=(5, 64))
    query, key, value, out = matrices(model.blocks[0], 64)
    eye = torch.eye(64, dtype=torch.float64)
    torch.testing.assert_close(value.T @ out.T, 0.5 * eye, atol=1e-6, rtol=0)
    rest = query.T @ key - 0.9 * eye
    assert rest.abs().max() <= 0.2 * math.sqrt(3 / 64) + 1e-6
    assert float(rest.std()) == pytest.approx(0.2 / 8, rel=0.05)


def test_more_rows_than_the_product_has_ranks_leave_none_idle(transformer):
    model = transformer(1, 24, 2, head_width=40)
    ip.initialize(model, "mimetic", inputs=(5, 24))
    query, key, value, out = matrices(model.blocks[0], 24)
    for left, right, trace in ((query[:40], key[:40], 0.7), (query[40:], key[40:], 0.7), (value, out.T, -0.4)):
        assert float((left.T @ right).trace()) / 24 == pytest.approx(trace, abs=4 * 0.7 / 24)
        assert left.abs().sum(1).min() > 0.1
        assert right.abs().sum(1).min() > 0.1


def test_libraries_that_pack_in_their_own_ways():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 50, "bos_token_id": 0, "eos_token_id": 0}
    gpt2 = transformers.GPT2Model(transformers.GPT2Config(n_layer=1, n_embd=48, n_head=1, n_positions=8, **sizes))
    ip.initialize(gpt2, "mimetic", inputs="input_ids=int64[6]<50")
    query, key, value = gpt2.h[0].attn.c_attn.weight.detach().double().T.chunk(3)
    assert float((query.T @ key).trace()) / 48 == pytest.approx(0.7, abs=0.06)
    out = gpt2.h[0].attn.c_proj.weight.detach().double().T
    assert float((value.T @ out.T).trace()) / 48 == pytest.approx(-0.4, abs=0.04)
    neox = transformers.GPTNeoXModel(
        transformers.GPTNeoXConfig(
            hidden_size=48, num_hidden_layers=1, num_attention_heads=3, intermediate_size=64, **sizes
        )
    )
    ip.initialize(neox, "mimetic", inputs="input_ids=int64[6]<50")
    packed = neox.layers[0].attention.query_key_value.weight.detach().double().unflatten(0, (3, 3, 16))
    for head in packed:  # query, key and value of one head after those of the one before
        assert float((head[0].T @ head[1]).trace()) / 48 == pytest.approx(0.395, abs=0.06)
    bert = transformers.BertModel(
        transformers.BertConfig(
            hidden_size=48, num_hidden_layers=1, num_attention_heads=1, intermediate_size=64, vocab_size=50
        )
    )
    ip.initialize(bert, "mimetic", inputs="input_ids=int64[6]<50")
    own = bert.encoder.layer[0].attention.self
    product = own.query.weight.detach().double().T @ own.key.weight.detach().double()
    assert float(product.trace()) / 48 == pytest.approx(0.7, abs=0.06)


def test_heads_that_share_keys_are_told():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64,
        vocab_size=50,
    )  # fmt: skip
    model = transformers.LlamaModel(config)
    outcome = ip.initialize(model, "mimetic", inputs="input_ids=int64[6]<50")
    assert reasons(outcome, "k_proj.weight") == {
        "4 heads of queries share 2 of keys, and mimetic pairs each head of queries with one of keys"
    }
    assert reasons(outcome, "o_proj.weight") == {
        "16 units of values become the 32 inputs of the output: heads share values"
    }
    assert outcome.notes == ("mimetic draws none of the parameters that it was asked for",)


def test_what_no_identity_fits_is_told():
    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 4, kdim=16, vdim=16, batch_first=True)

        def forward(self, x):
            memory = x[..., :16]
            return self.attention(x, memory, memory, need_weights=False)[0]

    outcome = ip.initialize(Cross(), "mimetic", inputs=(5, 32))
    assert reasons(outcome, "q_proj_weight") == {"query and key read 32 and 16 units: no identity lies between them"}
    assert reasons(outcome, "v_proj_weight") == {
        "value reads 16 units and the output makes 32: no identity lies between them"
    }


class Nameless(nn.Module):
    """An attention of four heads that says so nowhere."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x):
        query, key, value = self.qkv(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return x + self.out(mixed.transpose(1, 2).flatten(2))


def test_the_number_of_heads_is_said_or_asked_for():
    model = nn.Sequential(Nameless())
    outcome = ip.initialize(model, "mimetic", inputs=(5, 32))
    assert reasons(outcome, "qkv.weight") == {
        "no module around it says how many heads there are; mimetic(heads=...) does"
    }
    assert not reasons(ip.initialize(model, "mimetic(heads=4)", inputs=(5, 32)), "weight")
    outcome = ip.initialize(model, "mimetic(heads=5)", inputs=(5, 32))
    assert reasons(outcome, "qkv.weight") == {"its 32 rows are not those of 5 heads"}


def test_what_is_no_attention_keeps_its_values(vision):
    model = vision(2, 48, 3, 10)
    before = {name: one.clone() for name, one in model.named_parameters()}
    outcome = ip.initialize(model, "mimetic", inputs=(3, 16, 16))
    drawn = {one.weight for one in outcome.drawn}
    assert drawn == {name for name in before if ".attention." in name or name == "pos_embed"}
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name not in drawn), name
    assert model.blocks[1].attention.qkv.bias.eq(0).all()
    table = model.pos_embed.detach()[0, 1:]
    similar = table @ table.T
    torch.testing.assert_close(similar[0, 1], similar[4, 5])  # one step to the right, in two rows of the grid
    torch.testing.assert_close(similar[0, 4], similar[6, 10])  # one step down
    model.pos_embed.data.copy_(before["pos_embed"])
    ip.initialize(model, "mimetic(positions=keep)", inputs=(3, 16, 16))
    assert torch.equal(model.pos_embed, before["pos_embed"])


def test_a_network_without_attention_is_told():
    with pytest.raises(UsageError, match="this network has no attention"):
        ip.initialize(nn.Sequential(nn.Linear(8, 8)), "mimetic", inputs=(8,))
