"""GPT-2: what the branches add to the stream does not depend on their number."""

import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError

TOKENS = "int64[6]<50"


def stds(outcome):
    return {one.weight: one.std for one in outcome.drawn}


@pytest.mark.parametrize("packed", [True, False, "torch"])
@pytest.mark.parametrize("norm", ["pre", "post", "none"])
def test_ends_of_branches_are_divided_by_the_root_of_their_number(transformer, norm, packed):
    model = transformer(3, 32, 4, norm, packed, vocabulary=50, classes=50, positions=9)
    found = stds(ip.initialize(model, "gpt2", inputs=TOKENS))
    for name, std in found.items():
        if name.endswith("bias"):
            assert std == 0.0
            assert model.get_parameter(name).eq(0).all()
        elif name.endswith(("out.weight", "out_proj.weight", "down.weight")):
            assert std == pytest.approx(0.02 / math.sqrt(6))
        elif name == "wpe.weight":
            assert std == 0.01
        else:
            assert std == 0.02


def test_the_variance_added_to_the_stream_does_not_grow_with_depth(added):
    # Measured: 1.06. Each of the 2L branches adds a 2L-th of it; what comes on top is made of what was added before.
    assert added("gpt2", 48) / added("gpt2", 6) == pytest.approx(1.0, abs=0.1)


def test_without_the_scaling_it_grows_with_depth(added):
    # Measured: 8.46, for 8 times as many branches.
    assert added("gpt2(scale_residual=False)", 48) / added("gpt2(scale_residual=False)", 6) > 7.0


def test_gradients_stay_as_they_are_at_any_depth(transformer):
    sizes = {}
    for depth in (6, 48):
        model = transformer(depth, 64, 4)
        ip.initialize(model, "gpt2", inputs=(8, 64))
        x = torch.randn(4, 8, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
        (model(x) * torch.randn(4, 8, 64, generator=torch.Generator().manual_seed(1))).sum().backward()
        sizes[depth] = float(x.grad.square().mean())
    assert sizes[48] == pytest.approx(sizes[6], rel=0.1)


def test_schemes_draw_the_same_numbers_up_to_the_width(transformer):
    ours, plain = (transformer(2, 32, 4, vocabulary=50) for _ in range(2))
    ip.initialize(ours, "gpt2", inputs=TOKENS)
    ip.initialize(plain, "normal(std=0.02)", inputs=TOKENS)
    torch.testing.assert_close(ours.token.weight, plain.token.weight)
    torch.testing.assert_close(2.0 * ours.blocks[0].down.weight, plain.blocks[0].down.weight)


def test_an_encoder_and_a_decoder_count_their_own_branches():
    model = nn.Transformer(32, 4, 2, 3, 64, batch_first=True)
    inputs = (torch.randn(2, 5, 32), torch.randn(2, 4, 32))
    found = stds(ip.initialize(model, "gpt2", inputs=inputs))
    assert found["encoder.layers.1.linear2.weight"] == pytest.approx(0.02 / math.sqrt(4))
    assert found["decoder.layers.1.linear2.weight"] == pytest.approx(0.02 / math.sqrt(9))
    assert found["decoder.layers.1.multihead_attn.out_proj.weight"] == pytest.approx(0.02 / math.sqrt(9))
    assert found["decoder.layers.1.linear1.weight"] == 0.02


def test_a_network_without_branches_is_told_what_to_use():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    with pytest.raises(UsageError, match="no residual branch") as told:
        ip.initialize(model, "gpt2(std=0.03)", inputs=(8,))
    assert told.value.hint == "normal(std=0.03) draws the same numbers without that"
    assert len(ip.initialize(model, "gpt2(scale_residual=False)", inputs=(8,)).drawn) == 4


def test_megatron_is_the_same_scheme(transformer):
    ours, theirs = (transformer(1, 32, 4) for _ in range(2))
    ip.initialize(ours, "gpt2", inputs=(5, 32))
    ip.initialize(theirs, "megatron", inputs=(5, 32))
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_it_is_the_draw_of_transformers(same_law):
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(
        n_layer=3, n_embd=64, n_head=4, vocab_size=96, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        theirs, ours = transformers.GPT2Model(config), transformers.GPT2Model(config)
    found = stds(ip.initialize(ours, "gpt2(position_std=0.02)", inputs="input_ids=int64[12]<96"))
    for name, parameter in theirs.named_parameters():
        if parameter.dim() > 1:
            assert same_law(ours.get_parameter(name), parameter), name
            assert float(parameter.detach().std()) == pytest.approx(
                found[name], rel=4 / math.sqrt(2 * parameter.numel())
            )
        else:
            assert torch.equal(ours.get_parameter(name), parameter), name
