"""Architectures that everybody knows: roles, fans, activations, branches and their ends, as their papers have them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from initprobe.subject import Call
from tests.dissect.likenesses import EfficientNet, Mamba, Mixer, Recurrent, ResNet, Switch, VisionTransformer
from tests.dissect.networks import anatomy_of
from tests.zoo.odd_models import TOKENS, Drawn

WORDS = Drawn(((7,),), whole=97)
PICTURES = Drawn(((3, 8, 8),))


def who(anatomy, *, prefix=""):
    """Role with what else a weight is, fans, activation behind: for every weight but biases and norms."""
    return {
        weight.name.removeprefix(prefix): (
            " ".join(filter(None, [weight.role, weight.attention, weight.recurrent, weight.gated])),
            weight.fan_in,
            weight.fan_out,
            str(weight.output_activation or "-"),
        )
        for weight in anatomy.weights
        if weight.role not in {"bias", "norm", "gate"} and weight.name.startswith(prefix)
    }


def known(anatomy):
    return {weight.name: weight for weight in anatomy.weights}


def tails(anatomy):
    return [branch.tails for branch in anatomy.branches]


def ends(anatomy, what):
    """Names of all weights of which something holds."""
    return {weight.name for weight in anatomy.weights if getattr(weight, what)}


def cuts(weight):
    return {part.name: part.ranges for part in weight.parts}


def thirds(width):
    return {name: ((place * width, (place + 1) * width),) for place, name in enumerate(("query", "key", "value"))}


def test_resnet50():
    anatomy = anatomy_of(ResNet(), Drawn(((3, 32, 32),)))
    assert who(anatomy, prefix="layer2.0.") == {
        "conv1.weight": ("conv", 8, 4, "relu"),
        "conv2.weight": ("conv", 36, 9, "relu"),  # stride 2: of nine taps one in four
        "conv3.weight": ("conv", 4, 16, "-"),
        "downsample.0.weight": ("conv", 8, 4, "-"),
    }
    assert who(anatomy)["conv1.weight"] == ("conv", 147, 2 * 49 / 4, "relu")
    assert who(anatomy)["layer3.5.conv2.weight"] == ("conv", 72, 72, "relu")
    assert who(anatomy)["fc.weight"] == ("linear", 64, 10, "-")
    blocks = [f"layer{stage}.{place}" for stage, depth in ((1, 3), (2, 4), (3, 6), (4, 3)) for place in range(depth)]
    assert [branch.block for branch in anatomy.branches] == blocks
    assert tails(anatomy) == [(f"{block}.conv3.weight",) for block in blocks]
    assert [branch.norm for branch in anatomy.branches] == [f"{block}.bn3.weight" for block in blocks]
    assert {len(branch.weights) for branch in anatomy.branches} == {3}
    projected = {branch.block: branch.shortcut for branch in anatomy.branches if branch.skip == "projection"}
    assert projected == {f"layer{stage}.0": (f"layer{stage}.0.downsample.0.weight",) for stage in (1, 2, 3, 4)}
    assert ends(anatomy, "head") == {"fc.weight"}
    assert known(anatomy)["fc.weight"].depth == 50
    assert known(anatomy)["layer2.0.downsample.0.weight"].branch is None


@pytest.mark.parametrize("drop", [0.0, 0.3])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_vision_transformer_of_timm(drop, mode):
    anatomy = anatomy_of(VisionTransformer(drop=drop), PICTURES, mode=mode)
    assert who(anatomy, prefix="blocks.1.") == {
        "attn.qkv.weight": ("linear query_key_value", 8, 8, "-"),
        "attn.proj.weight": ("linear out", 8, 8, "-"),
        "fc1.weight": ("linear", 8, 32, "gelu"),
        "fc2.weight": ("linear", 32, 8, "-"),
    }
    weights = known(anatomy)
    assert cuts(weights["blocks.0.attn.qkv.weight"]) == cuts(weights["blocks.0.attn.qkv.bias"]) == thirds(8)
    assert {(part.axis, part.fan_in, part.fan_out) for part in weights["blocks.0.attn.qkv.weight"].parts} == {(0, 8, 8)}
    assert tails(anatomy) == [(f"blocks.{n}.{end}.weight",) for n in (0, 1) for end in ("attn.proj", "fc2")]
    gates = [f"blocks.{n}.{name}.gamma" for n in (0, 1) for name in ("ls1", "ls2")]
    assert [branch.gate for branch in anatomy.branches] == gates
    assert {weight.name for weight in anatomy.weights if weight.role == "gate"} == set(gates)
    assert ends(anatomy, "head") == {"head.weight"}
    assert [weights[f"blocks.1.{name}.weight"].depth for name in ("attn.qkv", "attn.proj", "fc1", "fc2")] == [
        6,
        7,
        8,
        9,
    ]
    assert weights["cls_token"].traced
    assert all(branch.skip == "identity" and branch.within is None for branch in anatomy.branches)


def vit():
    from transformers import ViTConfig, ViTForImageClassification

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    return ViTForImageClassification(ViTConfig(**sizes, image_size=16, patch_size=8, num_labels=5))


def test_vit_of_transformers():
    anatomy = anatomy_of(vit(), Drawn(((3, 16, 16),)))
    rows = who(anatomy)
    embedding = next(name for name in rows if "patch_embeddings" in name)
    assert rows[embedding] == ("conv", 192, 32, "-")
    assert sorted(row for name, row in rows.items() if "layers.1." in name or "layer.1." in name) == sorted([
        ("linear query", 32, 32, "-"), ("linear key", 32, 32, "-"), ("linear value", 32, 32, "-"),
        ("linear out", 32, 32, "-"), ("linear", 32, 64, "gelu"), ("linear", 64, 32, "-"),
    ])  # fmt: skip
    assert [len(branch.weights) for branch in anatomy.branches] == [4, 2, 4, 2]
    outs = [name for name, row in rows.items() if row[0] == "linear out"]
    assert [branch.tails for branch in anatomy.branches[::2]] == [(name,) for name in outs]
    assert ends(anatomy, "head") == {"classifier.weight"}


def test_gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 97, "n_positions": 16}
    anatomy = anatomy_of(GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)), WORDS)
    assert who(anatomy, prefix="transformer.h.1.") == {
        "attn.c_attn.weight": ("linear query_key_value", 32, 32, "-"),
        "attn.c_proj.weight": ("linear out", 32, 32, "-"),
        "mlp.c_fc.weight": ("linear", 32, 128, "gelu(approximate=tanh)"),
        "mlp.c_proj.weight": ("linear", 128, 32, "-"),
    }
    weights = known(anatomy)
    packed = weights["transformer.h.0.attn.c_attn.weight"]
    assert cuts(packed) == cuts(weights["transformer.h.0.attn.c_attn.bias"]) == thirds(32)
    assert {part.axis for part in packed.parts} == {1}  # its layout is in × out
    names = [f"transformer.h.{layer}.{part}.c_proj.weight" for layer in (0, 1) for part in ("attn", "mlp")]
    assert tails(anatomy) == [(name,) for name in names]
    assert ends(anatomy, "tail") == set(names)
    assert [branch.block for branch in anatomy.branches] == [f"transformer.h.{n}" for n in (0, 0, 1, 1)]
    tied = weights["transformer.wte.weight"]
    assert (tied.role, tied.head, tied.aliases, tied.depth) == ("embedding", True, ("lm_head.weight",), 0)
    assert [weights[f"transformer.h.1.{name}"].branch for name in ("ln_1.weight", "attn.c_attn.bias", "ln_2.bias")] == [
        2, 2, 3,
    ]  # fmt: skip
    assert weights["transformer.ln_f.weight"].branch is None


def test_bert():
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    anatomy = anatomy_of(BertForMaskedLM(BertConfig(**sizes, vocab_size=97)), WORDS)
    assert who(anatomy, prefix="bert.encoder.layer.0.") == {
        "attention.self.query.weight": ("linear query", 32, 32, "-"),
        "attention.self.key.weight": ("linear key", 32, 32, "-"),
        "attention.self.value.weight": ("linear value", 32, 32, "-"),
        "attention.output.dense.weight": ("linear out", 32, 32, "-"),
        "intermediate.dense.weight": ("linear", 32, 64, "gelu"),
        "output.dense.weight": ("linear", 64, 32, "-"),
    }
    layers = [f"bert.encoder.layer.{n}" for n in (0, 1)]
    # The norm stands behind the join, so that each branch begins where the norm ends.
    assert tails(anatomy) == [
        (f"{layer}.{part}.dense.weight",) for layer in layers for part in ("attention.output", "output")
    ]
    assert {branch.norm for branch in anatomy.branches} == {None}
    assert known(anatomy)["bert.encoder.layer.0.output.LayerNorm.weight"].branch is None
    assert ends(anatomy, "head") == {"bert.embeddings.word_embeddings.weight"}


@dataclass(frozen=True)
class Pairs(Drawn):
    """Token ids for an encoder and a decoder."""

    def make(self, batch, seed, dtype):
        generator = torch.Generator().manual_seed(seed)
        ids = [torch.randint(97, (batch, length), generator=generator) for length in (7, 5)]
        return Call((), {"input_ids": ids[0], "decoder_input_ids": ids[1]})


@pytest.mark.parametrize("gated", [False, True])
def test_t5(gated):
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": 97}
    feed = {"feed_forward_proj": "gated-gelu"} if gated else {}
    model = T5ForConditionalGeneration(T5Config(**sizes, **feed, decoder_start_token_id=0))
    anatomy = anatomy_of(model, Pairs())
    heads = {"q": "query", "k": "key", "v": "value"}
    expected = {f"layer.1.EncDecAttention.{n}.weight": (f"linear {full}", 32, 16, "-") for n, full in heads.items()}
    expected["layer.1.EncDecAttention.o.weight"] = ("linear out", 16, 32, "-")
    if gated:
        expected["layer.2.DenseReluDense.wi_0.weight"] = ("linear gate", 32, 64, "gelu(approximate=tanh)")
        expected["layer.2.DenseReluDense.wi_1.weight"] = ("linear value", 32, 64, "-")
    else:
        expected["layer.2.DenseReluDense.wi.weight"] = ("linear", 32, 64, "relu")
    expected["layer.2.DenseReluDense.wo.weight"] = ("linear", 64, 32, "-")
    rows = who(anatomy, prefix="decoder.block.1.")
    assert {name: row for name, row in rows.items() if "SelfAttention" not in name} == expected
    bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    assert who(anatomy)[bias] == ("embedding", 1, 2, "-")
    # 2 · 2 in the encoder, 2 · 3 in the decoder; a bias that all layers add to their scores is no skip path.
    encoder = [
        f"encoder.block.{n}.layer.{end}.weight" for n in (0, 1) for end in ("0.SelfAttention.o", "1.DenseReluDense.wo")
    ]
    ending = ("0.SelfAttention.o", "1.EncDecAttention.o", "2.DenseReluDense.wo")
    decoder = [f"decoder.block.{n}.layer.{end}.weight" for n in (0, 1) for end in ending]
    assert tails(anatomy) == [(name,) for name in (*encoder, *decoder)]
    # Keys and values of the encoder's output feed the branch of the decoder that they are used in.
    place = known(anatomy)["decoder.block.1.layer.1.EncDecAttention.o.weight"].branch
    assert {known(anatomy)[f"decoder.block.1.layer.1.EncDecAttention.{n}.weight"].branch for n in "qkv"} == {place}
    assert len(anatomy.branches[place].weights) == 4
    assert {weight.role for weight in anatomy.weights if "layer_norm" in weight.name} == {"norm"}


def test_llama_with_grouped_queries():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 97}
    model = LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2))
    anatomy = anatomy_of(model, WORDS)
    assert who(anatomy, prefix="model.layers.1.") == {
        "self_attn.q_proj.weight": ("linear query", 32, 32, "-"),
        "self_attn.k_proj.weight": ("linear key", 32, 16, "-"),
        "self_attn.v_proj.weight": ("linear value", 32, 16, "-"),
        "self_attn.o_proj.weight": ("linear out", 32, 32, "-"),
        "mlp.gate_proj.weight": ("linear gate", 32, 48, "silu"),
        "mlp.up_proj.weight": ("linear value", 32, 48, "-"),
        "mlp.down_proj.weight": ("linear", 48, 32, "-"),
    }
    assert tails(anatomy) == [
        (f"model.layers.{n}.{end}.weight",) for n in (0, 1) for end in ("self_attn.o_proj", "mlp.down_proj")
    ]
    assert ends(anatomy, "head") == {"lm_head.weight"}
    assert known(anatomy)["lm_head.weight"].depth == 9
    assert {weight.role for weight in anatomy.weights if "norm" in weight.name} == {"norm"}


@pytest.mark.parametrize("experts", ["eager", "grouped_mm", "batched_mm"])
def test_mixtral(experts):
    from transformers import MixtralConfig, MixtralForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 97}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}
    anatomy = anatomy_of(MixtralForCausalLM(MixtralConfig(**sizes, **heads, experts_implementation=experts)), WORDS)
    assert who(anatomy, prefix="model.layers.0.mlp.") == {
        "gate.weight": ("linear gate", 32, 4, "softmax"),
        "experts.gate_up_proj": ("linear", 32, 48, "silu"),
        "experts.down_proj": ("linear value", 48, 32, "-"),
    }
    packed = known(anatomy)["model.layers.1.mlp.experts.gate_up_proj"]
    assert packed.shape == (4, 96, 32)
    assert cuts(packed) == {"gate": ((0, 48),), "value": ((48, 96),)}
    assert {part.axis for part in packed.parts} == {1}
    assert tails(anatomy) == [
        (f"model.layers.{n}.{end}",) for n in (0, 1) for end in ("self_attn.o_proj.weight", "mlp.experts.down_proj")
    ]


def test_convnext():
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[4, 8, 12, 16], depths=[1, 1, 3, 1], image_size=64, drop_path_rate=0.2)
    anatomy = anatomy_of(ConvNextForImageClassification(config), Drawn(((3, 64, 64),)))
    stage = "convnext.encoder.stages.2"
    assert who(anatomy, prefix=f"{stage}.layers.1.") == {
        "dwconv.weight": ("depthwise", 49, 49, "-"),
        "pwconv1.weight": ("linear", 12, 48, "gelu"),
        "pwconv2.weight": ("linear", 48, 12, "-"),
    }
    assert who(anatomy)[f"{stage}.downsampling_layer.1.weight"] == ("conv", 32, 12, "-")
    layers = [f"convnext.encoder.stages.{n}.layers.{m}" for n, depth in enumerate((1, 1, 3, 1)) for m in range(depth)]
    assert tails(anatomy) == [(f"{layer}.pwconv2.weight",) for layer in layers]
    assert [branch.gate for branch in anatomy.branches] == [f"{layer}.layer_scale_parameter" for layer in layers]
    assert {weight.role for weight in anatomy.weights if "layer_scale" in weight.name} == {"gate"}
    assert ends(anatomy, "head") == {"classifier.weight"}


def test_mlp_mixer():
    anatomy = anatomy_of(Mixer(), PICTURES)
    assert who(anatomy, prefix="blocks.2.") == {
        "tokens1.weight": ("linear", 4, 6, "gelu"),
        "tokens2.weight": ("linear", 6, 4, "-"),
        "channels1.weight": ("linear", 8, 32, "gelu"),
        "channels2.weight": ("linear", 32, 8, "-"),
    }
    assert tails(anatomy) == [(f"blocks.{n}.{end}.weight",) for n in range(3) for end in ("tokens2", "channels2")]
    assert [branch.join for branch in anatomy.branches][1::2] == ["blocks.0", "blocks.1", "blocks.2"]
    assert ends(anatomy, "head") == {"head.weight"}


def test_efficientnet():
    anatomy = anatomy_of(EfficientNet(), PICTURES)
    assert who(anatomy, prefix="blocks.1.") == {
        "conv_pw.weight": ("conv", 4, 16, "silu"),
        "conv_dw.weight": ("depthwise value", 9, 2.25, "silu"),
        "se.conv_reduce.weight": ("conv", 16, 1, "silu"),
        "se.conv_expand.weight": ("conv gate", 1, 16, "sigmoid"),
        "conv_pwl.weight": ("conv", 16, 8, "-"),
    }
    kept = (0, 2, 3)  # the second block changes the width and has no skip path
    assert tails(anatomy) == [(f"blocks.{n}.conv_pwl.weight",) for n in kept]
    assert [branch.norm for branch in anatomy.branches] == [f"blocks.{n}.bn3.weight" for n in kept]
    assert {len(branch.weights) for branch in anatomy.branches} == {5}


def test_mamba():
    anatomy = anatomy_of(Mamba(), TOKENS)
    assert who(anatomy, prefix="mixers.1.") == {
        "in_proj.weight": ("linear", 8, 16, "silu"),
        "conv1d.weight": ("depthwise", 4, 4, "silu"),
        "x_proj.weight": ("linear", 16, 8, "-"),
        "dt_proj.weight": ("linear gate", 2, 16, "softplus"),  # of the state: exp(Δ A) forgets
        "out_proj.weight": ("linear", 16, 8, "-"),
        "A_log": ("other", None, None, "-"),
    }
    assert cuts(known(anatomy)["mixers.0.in_proj.weight"]) == {"value": ((0, 16),), "gate": ((16, 32),)}
    assert [branch.tails for branch in anatomy.outer_branches] == [(f"mixers.{n}.out_proj.weight",) for n in (0, 1)]
    # u · D around the scan is a skip path too, inside the block's branch.
    inner = [branch for branch in anatomy.branches if branch.within is not None]
    assert [(branch.skip, anatomy.branches[branch.within].tails) for branch in inner] == [
        ("scaled", (f"mixers.{n}.out_proj.weight",)) for n in (0, 1)
    ]
    assert known(anatomy)["mixers.0.D"].role == "gate"
    assert ends(anatomy, "head") == {"head.weight"}


def test_mamba_of_transformers():
    from transformers import MambaConfig, MambaForCausalLM

    model = MambaForCausalLM(MambaConfig(hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=97))
    anatomy = anatomy_of(model, WORDS)
    rows = who(anatomy, prefix="backbone.layers.0.mixer.")
    assert rows["conv1d.weight"] == ("depthwise", 4, 4, "silu")
    assert rows["in_proj.weight"] == ("linear", 16, 32, "silu")
    assert cuts(known(anatomy)["backbone.layers.0.mixer.in_proj.weight"]) == {"value": ((0, 32),), "gate": ((32, 64),)}
    assert [branch.tails for branch in anatomy.outer_branches] == [
        (f"backbone.layers.{n}.mixer.out_proj.weight",) for n in (0, 1)
    ]


LSTM = ("input_gate", "forget_gate", "cell_gate", "output_gate")
GRU = ("reset_gate", "update_gate", "new_gate")


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, LSTM), (nn.GRU, GRU)])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_layers_gate_by_gate(kind, gates, bias):
    anatomy = anatomy_of(Recurrent(kind, bias=bias, bidirectional=False), TOKENS)
    assert who(anatomy, prefix="rnn.") == {
        "weight_ih_l0": ("recurrent input", 6, 5, "-"),
        "weight_hh_l0": ("recurrent hidden", 5, 5, "-"),
        "weight_ih_l1": ("recurrent input", 5, 5, "-"),
        "weight_hh_l1": ("recurrent hidden", 5, 5, "-"),
    }
    weights = known(anatomy)
    rows = {name: ((5 * place, 5 * place + 5),) for place, name in enumerate(gates)}
    assert all(cuts(weight) == rows for name, weight in weights.items() if name.startswith("rnn."))
    assert [weights[f"rnn.weight_{side}_l{n}"].depth for n in (0, 1) for side in ("ih", "hh")] == [1, 1, 2, 2]
    assert weights["head.weight"].depth == 3
    if bias:
        sides = [weights[f"rnn.bias_{side}_l1"].recurrent for side in ("ih", "hh")]
        assert sides == ["input", "hidden"]
    assert ends(anatomy, "head") == {"head.weight"}
    assert anatomy.branches == ()


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_an_lstm_with_a_projected_state():
    anatomy = anatomy_of(Recurrent(nn.LSTM, proj_size=3), TOKENS)
    assert who(anatomy, prefix="rnn.") == {
        "weight_ih_l0": ("recurrent input", 6, 5, "-"),
        "weight_hh_l0": ("recurrent hidden", 3, 5, "-"),
        "weight_hr_l0": ("linear", 5, 3, "-"),
        "weight_ih_l1": ("recurrent input", 3, 5, "-"),
        "weight_hh_l1": ("recurrent hidden", 3, 5, "-"),
        "weight_hr_l1": ("linear", 5, 3, "-"),
    }


def test_an_expert_that_no_token_was_sent_to_is_like_its_siblings():
    torch.manual_seed(0)
    anatomy = anatomy_of(nn.Sequential(nn.Linear(6, 6), Switch()), Drawn())
    weights = known(anatomy)
    used = {name for name, weight in weights.items() if weight.traced and name.endswith(".2.weight")}
    assert 2 <= len(used) < 8
    for place in range(8):
        first, last = (weights[f"1.experts.{place}.{n}.weight"] for n in (0, 2))
        assert (first.fan_in, str(first.output_activation), first.branch, first.tail) == (6, "relu", 0, False)
        assert (str(last.input_activation), last.gated, last.branch, last.tail, last.depth) == (
            "relu",
            "value",
            0,
            True,
            4,
        )
    assert weights["1.router.weight"].gated == "gate"
    (branch,) = anatomy.branches
    assert set(branch.tails) == used


def test_heads_that_are_interleaved_and_parallel_branches():
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    anatomy = anatomy_of(GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, vocab_size=97)), WORDS)
    packed = known(anatomy)["gpt_neox.layers.1.attention.query_key_value.weight"]
    assert cuts(packed) == {
        "query": ((0, 8), (24, 32)),
        "key": ((8, 16), (32, 40)),
        "value": ((16, 24), (40, 48)),
    }
    assert [(part.size, part.fan_in, part.fan_out) for part in packed.parts] == [(16, 16, 16)] * 3
    layers = [f"gpt_neox.layers.{n}" for n in (0, 1)]
    assert tails(anatomy) == [
        (f"{layer}.{end}.weight",) for layer in layers for end in ("attention.dense", "mlp.dense_4h_to_h")
    ]
    assert [branch.join for branch in anatomy.branches] == [layers[0], layers[0], layers[1], layers[1]]


def test_packed_projections_of_unequal_size():
    from transformers import Phi3Config, Phi3ForCausalLM

    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "vocab_size": 97, "pad_token_id": 0}
    anatomy = anatomy_of(Phi3ForCausalLM(Phi3Config(**sizes, num_attention_heads=4, num_key_value_heads=2)), WORDS)
    packed = known(anatomy)["model.layers.0.self_attn.qkv_proj.weight"]
    assert [(part.name, part.size, part.fan_out) for part in packed.parts] == [
        ("query", 32, 32), ("key", 16, 16), ("value", 16, 16),
    ]  # fmt: skip
    assert packed.fan_out == 32  # of the largest
    assert who(anatomy, prefix="model.layers.0.mlp.")["gate_up_proj.weight"] == ("linear", 32, 48, "silu")


@functools.cache
def attention_layer(options):
    layer = nn.MultiheadAttention(8, 2, batch_first=True, **dict(options))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.attn, self.behind = nn.Linear(8, 8), layer, nn.Linear(8, 3)

        def forward(self, x):
            x = torch.relu(self.before(x))
            context = torch.relu(x[..., : layer.kdim])
            return self.behind(torch.tanh(self.attn(x, context, context)[0]))

    return Model()


def test_multihead_attention_of_torch():
    anatomy = anatomy_of(attention_layer(()), Drawn(((5, 8),)))
    assert who(anatomy, prefix="attn.") == {
        "in_proj_weight": ("linear query_key_value", 8, 8, "-"),
        "out_proj.weight": ("linear out", 8, 8, "tanh"),
    }
    weights = known(anatomy)
    assert cuts(weights["attn.in_proj_weight"]) == cuts(weights["attn.in_proj_bias"]) == thirds(8)
    assert str(weights["attn.in_proj_weight"].input_activation) == "relu"
    assert weights["attn.out_proj.weight"].input_activation is None
    assert [weights[name].depth for name in ("attn.in_proj_weight", "attn.out_proj.weight", "behind.weight")] == [
        2,
        3,
        4,
    ]


def test_multihead_attention_with_other_keys():
    anatomy = anatomy_of(attention_layer((("kdim", 4), ("vdim", 4))), Drawn(((5, 8),)))
    assert who(anatomy, prefix="attn.") == {
        "q_proj_weight": ("linear query", 8, 8, "-"),
        "k_proj_weight": ("linear key", 4, 8, "-"),
        "v_proj_weight": ("linear value", 4, 8, "-"),
        "out_proj.weight": ("linear out", 8, 8, "tanh"),
    }
